"""Packs a release that deploys without Rust: a zip for each function, the definition, a template that names them in a
bucket, and the checksums of all of it.

Usage: release.py BUILT DIRECTORY VERSION ARCHITECTURE. BUILT holds FUNCTION/bootstrap for each function of template.yaml.
The same input gives the same bytes, so that a checksum says what was built.
"""

import hashlib
import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The C library of the runtime provided.al2023 (Amazon Linux 2023's release notes).
NEWEST_GLIBC = 34
PARAMETERS = """
  ArtifactBucket:
    Type: String
    Description: The bucket, in the stack's region, that this release was copied to.
    MinLength: 3
  ArtifactPrefix:
    Type: String
    Description: Where in the bucket it is, with a slash at its end.
    Default: {prefix}/
"""


def functions(template):
    return re.findall(r"FunctionName: !Sub \$\{AWS::StackName\}-([a-z-]+)", template)


def refuse_glibc(name, program):
    """A program that needs a newer C library than the runtime has would fail at its first invocation."""
    needed = max((int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", program)), default=0)
    if needed > NEWEST_GLIBC:
        sys.exit(f"{name} needs glibc 2.{needed}, and the runtime has 2.{NEWEST_GLIBC}: build it with cargo lambda")


def pack(program, path):
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o755 << 16
    with zipfile.ZipFile(path, "w", compresslevel=9) as archive:
        archive.writestr(entry, program)


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def released(template, directory, architecture):
    """The template, with its code in a bucket instead of a build."""
    template = template.replace("    CodeUri: .\n", "", 1).replace("    Metadata:\n      BuildMethod: makefile\n", "")
    for name in functions(template):
        line = f"      FunctionName: !Sub ${{AWS::StackName}}-{name}\n"
        bucket, key = "!Ref ArtifactBucket", f"!Sub '${{ArtifactPrefix}}{name}.zip'"
        # A function without versions is none of SAM's, and says by itself where its code is.
        unversioned = rf"({re.escape(line)}(?:      .*\n)*?      Code: )\.\n"
        template, found = re.subn(unversioned, rf"\g<1>{{S3Bucket: {bucket}, S3Key: {key}}}\n", template, count=1)
        if not found:
            code = f"      CodeUri: {{Bucket: {bucket}, Key: {key}}}\n"
            # A version is published when this changes, whatever the bucket and the prefix are called.
            code += f"      AutoPublishCodeSha256: {checksum(directory / (name + '.zip'))}\n"
            template = template.replace(line, line + code, 1)
    definition = "DefinitionUri: {Bucket: !Ref ArtifactBucket, Key: !Sub '${ArtifactPrefix}statemachine.asl.json'}"
    template = template.replace("DefinitionUri: statemachine.asl.json", definition, 1)
    template = re.sub(r"(  Architecture:\n(?:    .*\n)*?    Default: )\S+", rf"\g<1>{architecture}", template, count=1)
    return template.replace("\nParameters:\n", "\nParameters:" + PARAMETERS.format(prefix=directory.name), 1)


def main(built, directory, version, architecture):
    template = (ROOT / "template.yaml").read_text()
    directory = Path(directory) / f"ebbtide-{version}-{architecture}"
    directory.mkdir(parents=True, exist_ok=True)
    for name in functions(template):
        program = (Path(built) / name / "bootstrap").read_bytes()
        refuse_glibc(name, program)
        pack(program, directory / f"{name}.zip")
        print(f"{name:20} {len(program) / 1e6:5.1f} MB, zipped {(directory / f'{name}.zip').stat().st_size / 1e6:.1f} MB")
    (directory / "statemachine.asl.json").write_bytes((ROOT / "statemachine.asl.json").read_bytes())
    (directory / "template.yaml").write_text(released(template, directory, architecture))
    files = sorted(path for path in directory.iterdir() if path.name != "SHA256SUMS")
    (directory / "SHA256SUMS").write_text("".join(f"{checksum(path)}  {path.name}\n" for path in files))
    print(f"packed into {directory}: copy it to s3://BUCKET/{directory.name}/ and deploy its template.yaml")


if __name__ == "__main__":
    main(*sys.argv[1:])
