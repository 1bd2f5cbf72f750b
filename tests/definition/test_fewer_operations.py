"""What is compiled of aws-sdk-ec2: the crate's own files, with shorter lists, and only what is called."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from definition import ROOT

sys.path.append(str(ROOT / ".cargo"))
from fewer_operations import LISTS, main  # noqa: E402


@cache
def source():
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    manifests = [package["manifest_path"] for package in metadata["packages"] if package["name"] == "aws-sdk-ec2"]
    assert len(manifests) == 1
    return Path(manifests[0]).parent / "src"


def operations():
    wrapper = (ROOT / ".cargo/rustc").read_text()
    return re.search(r"operations='(.*?)'", wrapper, re.S)[1].split()


@cache
def copy(directory):
    main(str(source()), directory, *operations())
    return next(path for path in Path(directory).iterdir() if (path / "lib.rs").exists())


def test_every_file_is_the_crates_own_and_the_lists_only_lose_lines(tmp_path):
    made = copy(str(tmp_path))
    for name in LISTS:
        lines = iter((source() / name).read_text().splitlines())
        assert [line for line in (made / name).read_text().splitlines() if line not in lines] == [], name
    others = [path for folder in (made, made / "types") for path in folder.iterdir() if str(path.relative_to(made)) not in LISTS + ["types"]]
    assert all(path.is_symlink() and path.resolve().is_relative_to(source()) for path in others) and others


def test_a_second_time_nothing_is_made(tmp_path):
    first = copy(str(tmp_path))
    main(str(source()), str(tmp_path), *operations())
    assert [path for path in tmp_path.iterdir() if path.name == first.name] == [first]


def test_every_operation_is_called_somewhere():
    code = "\n".join(path.read_text() for folder in ("functions", "tests") for path in (ROOT / folder).rglob("*.rs"))
    assert [name for name in operations() if not re.search(rf"\.{name}\(\)", code)] == []
    assert operations() == sorted(operations())
