"""Zips what `sam build` left, so that `sam deploy` need not do it for every cloud anew.

Usage: zip_functions.py BUILD_DIRECTORY CACHE_DIRECTORY

`sam deploy` zips each function's directory, at the best compression and one after another: half a minute for debug
builds. It takes a CodeUri, or Code, that is a zip file as it is. So each directory becomes one, stripped of its symbols, quickly
compressed, and kept under a hash of its content; the built template then names the zip files. Nothing else in it changes.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

KEEP = 24  # Two builds of all functions.
CODE_URI = re.compile(r"^(\s+Code(?:Uri)?: )(\w+)$", re.MULTILINE)


def zipped(directory, cache):
    """The zip file of one function's directory, which holds nothing but `bootstrap`."""
    bootstrap = directory / "bootstrap"
    with open(bootstrap, "rb") as content:
        archive = cache / (hashlib.file_digest(content, "blake2b").hexdigest()[:40] + ".zip")
    if archive.exists():
        archive.touch()
        return archive
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        stripped = pathlib.Path(scratch) / "bootstrap"
        shutil.copy(bootstrap, stripped)
        if shutil.which("strip"):
            subprocess.run(["strip", stripped], check=True)
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        made = pathlib.Path(scratch) / "made.zip"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archived:
            archived.writestr(entry, stripped.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=1)
        made.rename(archive)  # Whole or not at all: somebody else may be building beside this.
    return archive


def forget_old(cache):
    archives = sorted(cache.glob("*.zip"), key=lambda archive: archive.stat().st_mtime, reverse=True)
    for archive in archives[KEEP:]:
        archive.unlink(missing_ok=True)


def main():
    build, cache = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    cache.mkdir(parents=True, exist_ok=True)
    template = build / "template.yaml"
    text = template.read_text()
    names = {name for _, name in CODE_URI.findall(text) if (build / name / "bootstrap").is_file()}
    with ThreadPoolExecutor(2) as pool:
        archives = dict(zip(names, pool.map(lambda name: zipped(build / name, cache), names)))
    if not archives:
        sys.exit("the built template names no function with a bootstrap")
    for name, archive in archives.items():
        # A link of its own: forgetting old archives must not take it from under a cloud that is being started.
        os.link(archive, build / f"{name}.zip")
        shutil.rmtree(build / name)
    template.write_text(CODE_URI.sub(lambda found: found[1] + (f"{found[2]}.zip" if found[2] in archives else found[2]), text))
    forget_old(cache)


if __name__ == "__main__":
    main()
