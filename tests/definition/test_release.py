"""A release: what `make release` packs deploys without Rust, and says what it is."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from definition import ROOT, template
from samcli.yamlhelper import yaml_parse

sys.path.append(str(ROOT / "functions"))
import release  # noqa: E402

NAMES = release.functions((ROOT / "template.yaml").read_text())


def packed(tmp_path, program=b"\x7fELF GLIBC_2.17 GLIBC_2.34"):
    for name in NAMES:
        (tmp_path / "built" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "built" / name / "bootstrap").write_bytes(program)
    release.main(tmp_path / "built", tmp_path / "dist", "1.2.3", "arm64")
    return tmp_path / "dist/ebbtide-1.2.3-arm64"


def test_every_function_has_a_zip_and_every_file_a_checksum(tmp_path):
    directory = packed(tmp_path)
    sums = dict(reversed(line.split("  ")) for line in (directory / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {f"{name}.zip" for name in NAMES} | {"template.yaml", "statemachine.asl.json"} and len(NAMES) == 13
    for name, sha256 in sums.items():
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == sha256
    with zipfile.ZipFile(directory / "drain-idle.zip") as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.external_attr >> 16) == ("bootstrap", 0o755)
    before = (directory / "SHA256SUMS").read_bytes()
    assert (packed(tmp_path) / "SHA256SUMS").read_bytes() == before, "the same program, the same bytes"


def test_the_template_differs_in_where_its_code_is_and_in_nothing_else(tmp_path):
    directory = packed(tmp_path)
    made = yaml_parse((directory / "template.yaml").read_text())
    assert made["Parameters"].pop("ArtifactPrefix")["Default"] == "ebbtide-1.2.3-arm64/"
    assert made["Parameters"].pop("ArtifactBucket")["Type"] == "String"
    written = yaml_parse((ROOT / "template.yaml").read_text())
    assert written["Globals"]["Function"].pop("CodeUri") == "."
    written["Parameters"]["Architecture"]["Default"] = "arm64"
    for name, resource in made["Resources"].items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Serverless::Function":
            assert properties.pop("CodeUri")["Bucket"] == {"Ref": "ArtifactBucket"}
            assert re.fullmatch("[0-9a-f]{64}", properties.pop("AutoPublishCodeSha256"))
            del written["Resources"][name]["Metadata"]
        if resource["Type"] == "AWS::Lambda::Function":
            zipped = f"{properties['FunctionName']['Fn::Sub'].removeprefix('${AWS::StackName}-')}.zip"
            assert properties.pop("Code") == {"S3Bucket": {"Ref": "ArtifactBucket"}, "S3Key": {"Fn::Sub": f"${{ArtifactPrefix}}{zipped}"}}
            assert (directory / zipped).exists() and written["Resources"][name]["Properties"].pop("Code") == "."
            del written["Resources"][name]["Metadata"]
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties.pop("DefinitionUri")
            assert written["Resources"][name]["Properties"].pop("DefinitionUri") == "statemachine.asl.json"
    assert made == written and template()


def test_the_template_is_valid(tmp_path):
    linted = [str(Path(sys.executable).with_name("cfn-lint")), str(packed(tmp_path) / "template.yaml")]
    checked = subprocess.run(linted, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_a_program_for_a_newer_c_library_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="plan-deployment needs glibc 2.35, and the runtime has 2.34"):
        packed(tmp_path, b"GLIBC_2.9 GLIBC_2.35")
