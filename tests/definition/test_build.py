"""The pipeline's own build: its commands are run, the call that it makes is AWS's, and what it writes is a deployment's input."""

import base64
import json
import subprocess
import sys

import pytest
import yaml
from definition import ROOT, pipeline
from test_pipeline import buildspec

# A Rust test of the rules reads the same file (functions/rules/src/input/tests.rs).
DEPLOYMENT = json.loads((ROOT / "tests/definition/deployment.json").read_text())
TEMPLATE, COMMIT = "lt-0123456789abcdef0", "4f2c0d1e5b6a79880c1d2e3f405162738495a6b7"
IMAGE, USER_DATA = "ami-0123456789abcdef0", "#!/bin/sh\nexec fetch @RELEASE@ /opt/@RELEASE@/tunnel\n"


def build(folder, command="", commands=None):
    """Runs the commands as CodeBuild does, in one shell until the first that fails; the process, and the call of AWS if any."""
    tools, call = folder / "tools", folder / "call.json"
    tools.mkdir()
    (tools / "aws").write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests/definition/aws.py"} "$@"\n')
    (tools / "aws").chmod(0o755)
    given = {variable["Name"]: variable["Value"] for variable in
             pipeline()["Resources"]["Build"]["Properties"]["Environment"]["EnvironmentVariables"]}
    assert given == {"LAUNCH_TEMPLATE_ID": {"Ref": "LaunchTemplateId"}, "BUILD_COMMAND": {"Ref": "BuildCommand"}}
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "EBBTIDE_CALL": str(call), "RELEASE": COMMIT,
                   "LAUNCH_TEMPLATE_ID": TEMPLATE, "BUILD_COMMAND": command}
    script = "".join(f"{line}\n[ $? = 0 ] || exit 1\n" for line in commands or buildspec(pipeline)["phases"]["build"]["commands"])
    done = subprocess.run(["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    return done, json.loads(call.read_text()) if call.exists() else None


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("files, command, data", [
    ({"image-id": IMAGE + "\n"}, "", {"ImageId": IMAGE}),
    ({}, f"echo {IMAGE} >image-id", {"ImageId": IMAGE}),
    ({"user-data": USER_DATA}, "", {"UserData": encoded(USER_DATA.replace("@RELEASE@", COMMIT))}),
    ({"user-data": USER_DATA}, "echo $RELEASE | grep -q 4f2c && sed -i s/fetch/get/ user-data",
     {"UserData": encoded(USER_DATA.replace("@RELEASE@", COMMIT).replace("fetch", "get"))}),
    ({"image-id": IMAGE, "user-data": "#!/bin/sh\n" + "x" * 5000}, "true", {"ImageId": IMAGE, "UserData": encoded("#!/bin/sh\n" + "x" * 5000)}),
], ids=["image", "image that the command made", "user data", "user data that the command made", "both"])
def test_a_release_becomes_a_version_and_the_version_a_deployment(tmp_path, files, command, data):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done, call = build(tmp_path, command)
    assert done.returncode == 0, done.stderr
    assert call == {"action": "ec2:CreateLaunchTemplateVersion", "LaunchTemplateId": TEMPLATE, "SourceVersion": "$Latest",
                    "VersionDescription": COMMIT, "LaunchTemplateData": data}
    (written,) = buildspec(pipeline)["artifacts"]["files"]
    assert json.loads((tmp_path / written).read_text()) == DEPLOYMENT


@pytest.mark.parametrize("files, command, said", [
    ({}, "", "neither image-id nor user-data"),
    ({"image-id": ""}, "", "no id of an image"),
    ({"image-id": "ami-12345678\",\"KeyName\":\"mine"}, "", "no id of an image"),
    ({"image-id": IMAGE}, "echo broken >&2; false; true", "broken"),
], ids=["nothing", "empty", "more than an id", "command fails in its middle"])
def test_what_is_no_release_calls_nothing_and_writes_no_deployment(tmp_path, files, command, said):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done, call = build(tmp_path, command)
    assert done.returncode != 0 and said in done.stderr
    assert call is None and not (tmp_path / "deployment.json").exists()


def test_a_call_that_aws_refuses_writes_no_deployment(tmp_path):
    (tmp_path / "image-id").write_text(IMAGE)
    commands = [line.replace("--source-version", "--from-version") for line in buildspec(pipeline)["phases"]["build"]["commands"]]
    done, call = build(tmp_path, commands=commands)
    assert done.returncode != 0 and "--from-version" in done.stderr
    assert call is None and not (tmp_path / "deployment.json").exists()


def test_the_buildspec_on_the_page_makes_a_deployment_too(tmp_path):
    """Who writes one of their own begins with the page's."""
    text = (ROOT / "docs/pipeline.md").read_text()
    own = yaml.safe_load(text.split("```yml\n")[1].split("```")[0])
    (tmp_path / "build.sh").write_text(f"echo {IMAGE}\n")
    (tmp_path / "build.sh").chmod(0o755)
    done, call = build(tmp_path, commands=own["phases"]["build"]["commands"])
    assert done.returncode == 0, done.stderr
    assert call["LaunchTemplateData"] == {"ImageId": IMAGE} and call["action"] == "ec2:CreateLaunchTemplateVersion"
    deployment = json.loads((tmp_path / "deployment.json").read_text())
    assert own["artifacts"] == buildspec(pipeline)["artifacts"]
    assert deployment["green"] == DEPLOYMENT["green"] and deployment["drain"] == DEPLOYMENT["drain"]
