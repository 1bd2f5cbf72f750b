"""Packages what `sam build` left as `sam package` does, but for the functions' programs: those stay where they were built.

Usage: package.py BUILD_DIRECTORY INTO [FUNCTION=PROGRAM]

A debug build of all functions is half a gigabyte. Zipped, uploaded and unpacked for each cloud it would cost more than what the
clouds are for. So a function's zip file has a `bootstrap` of one line, which runs the program of the build, or the one that is
named for it. Every file but the template is named by its content: to CloudFormation another file is another name.
"""

import hashlib
import io
import pathlib
import re
import shlex
import sys
import zipfile

BUCKET = "ebbtide-packages"  # BUCKET in src/package.rs.
# AWS::Serverless::Function has CodeUri, AWS::Lambda::Function has Code.
CODE = re.compile(r"^( +)(CodeUri|Code): (\w+)$", re.MULTILINE)
DEFINITION = re.compile(r"^( +DefinitionUri: )(\S+)$", re.MULTILINE)
EXECUTABLE = 0o755 << 16


def zipped(program):
    """A zip file whose `bootstrap` runs this program."""
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = EXECUTABLE
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr(entry, f"#!/bin/sh\nexec {shlex.quote(str(program))}\n")
    return archive.getvalue()


def main():
    build, into = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    programs = dict(other.split("=", 1) for other in sys.argv[3:])
    into.mkdir(parents=True)

    def kept(content, suffix):
        name = hashlib.sha256(content).hexdigest()[:32] + suffix
        (into / name).write_bytes(content)
        return name

    def code(found):
        indent, key, function = found.groups()
        name = kept(zipped(programs.get(function, build / function / "bootstrap")), ".zip")
        place = f"s3://{BUCKET}/{name}" if key == "CodeUri" else f"{{S3Bucket: {BUCKET}, S3Key: {name}}}"
        return f"{indent}{key}: {place}"

    def definition(found):
        return f"{found[1]}s3://{BUCKET}/{kept((build / found[2]).read_bytes(), '.json')}"

    template = CODE.sub(code, (build / "template.yaml").read_text())
    (into / "template.yaml").write_text(DEFINITION.sub(definition, template))


if __name__ == "__main__":
    main()
