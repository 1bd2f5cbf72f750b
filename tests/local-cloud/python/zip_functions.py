"""Zips what `sam build` left: for each function a `bootstrap` of one line, which runs the program that was built.

Usage: zip_functions.py BUILD_DIRECTORY

A debug build of all functions is half a gigabyte. Zipped, uploaded and unpacked for each cloud it would cost more than what the
clouds are for. So the programs stay where they were built, and every cloud of this process runs the same ones. `sam deploy` takes
a CodeUri, or Code, that is a zip file as it is; nothing else in the built template changes.
"""

import pathlib
import re
import shlex
import shutil
import sys
import zipfile

CODE_URI = re.compile(r"^(\s+Code(?:Uri)?: )(\w+)$", re.MULTILINE)
EXECUTABLE = 0o755 << 16


def zipped(build, name):
    """Makes NAME.zip of the directory NAME, which holds nothing but `bootstrap`."""
    program = build.with_name(f"{build.name}-programs") / name
    program.parent.mkdir(exist_ok=True)
    (build / name / "bootstrap").rename(program)
    shutil.rmtree(build / name)
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = EXECUTABLE
    with zipfile.ZipFile(build / f"{name}.zip", "w") as archive:
        archive.writestr(entry, f"#!/bin/sh\nexec {shlex.quote(str(program))}\n")
    return f"{name}.zip"


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    template = build / "template.yaml"
    text = template.read_text()
    names = {name for _, name in CODE_URI.findall(text) if (build / name / "bootstrap").is_file()}
    if not names:
        sys.exit("the built template names no function with a bootstrap")
    archives = {name: zipped(build, name) for name in names}
    template.write_text(CODE_URI.sub(lambda found: found[1] + archives.get(found[2], found[2]), text))


if __name__ == "__main__":
    main()
