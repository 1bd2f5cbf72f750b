"""Records the runs that docs/console.md shows, on the local cloud that `make up` keeps: some minutes. picture.py says how it is run.

Kept of a history: the states in order, each with how it ended; the execution's input and how it stands; what the last CheckDrained
said, and the last answer of the record. The emulator gives the whole document for the output of a Succeed state; what AWS makes of
it picture.py evaluates.
"""

import base64
import json
import subprocess
import threading
import time
import urllib.request
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from definition import ROOT
from picture import RUNS

CLOUD = ROOT / "target/local/cloud.json"
TUNNELS, LIMIT = 6, 600
FAILED = ("TaskFailed", "TaskTimedOut", "TaskStartFailed", "LambdaFunctionFailed", "LambdaFunctionTimedOut")
FIT = {"green": {"launchTemplateVersion": "1"}, "traffic": {"steps": [50, 100], "stepSeconds": 10}, "bake": {"seconds": 20},
       "drain": {"settleSeconds": 5, "pollSeconds": 5}}


class Cloud:
    """The kept cloud, by the names that its file has."""

    def __init__(self):
        self.at = json.loads(CLOUD.read_text())
        known = {"region_name": self.at["region"], "aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.steps = boto3.client("stepfunctions", endpoint_url=self.at["ministack"], **known)
        self.ec2 = boto3.client("ec2", endpoint_url=self.at["moto"], **known)

    def add_unfit_version(self):
        """A release whose servers fail every health check; the number of its version."""
        data = {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro", "UserData": base64.b64encode(b"stand-in --health 503").decode()}
        added = self.ec2.create_launch_template_version(LaunchTemplateId=self.at["launchTemplateId"], LaunchTemplateData=data)
        return str(added["LaunchTemplateVersion"]["VersionNumber"])

    def holder(self):
        """Where the only session is: the address of the server that holds it."""
        found = self.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
        for address in [it["PrivateIpAddress"] for group in found["Reservations"] for it in group["Instances"]]:
            with urllib.request.urlopen(f"http://{address}:{self.at['sessionPort']}/sessions") as report:
                if json.load(report)["idle"]:
                    return address
        return None

    def start(self, wanted):
        return self.steps.start_execution(stateMachineArn=self.at["stateMachineArn"], input=json.dumps(wanted))["executionArn"]

    def events(self, execution):
        pages = self.steps.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]

    def run(self, execution):
        """What is kept of an execution as it stands."""
        stands = self.steps.describe_execution(executionArn=execution)
        events = self.events(execution)
        kept = {"input": json.loads(stands["input"]), "status": stands["status"]}
        if stands["status"] == "SUCCEEDED":
            kept["record"] = json.loads(stands["output"])["record"]
        elif stands["status"] == "FAILED":
            kept |= {"error": stands["error"], "cause": stands["cause"]}
        exits = [event["stateExitedEventDetails"] for event in events if "stateExitedEventDetails" in event]
        checks = [json.loads(it["output"])["check"] for it in exits if it["name"] == "CheckDrained"]
        if checks:
            kept["check"] = {key: checks[-1][key] for key in ("counts", "outlook")}
        return kept | {"steps": steps(events)}


def steps(events):
    """[state, how it ended] in the order in which states were entered: picture.ending has the words."""
    found, failed = [], False
    for event in events:
        if "stateEnteredEventDetails" in event:
            found.append([event["stateEnteredEventDetails"]["name"], "inside"])
            failed = False
        elif "stateExitedEventDetails" in event:
            found[-1][1] = "caught" if failed else "succeeded"
        elif event["type"] in ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"):
            found[-1][1] = "failed"
        elif event["type"] in FAILED or event["type"] == "TaskSucceeded":
            failed = event["type"] in FAILED
    return found


def until(what, look):
    """The first answer of `look` that is one."""
    ends = time.monotonic() + LIMIT
    while time.monotonic() < ends:
        if answer := look():
            return answer
        time.sleep(0.5)
    raise SystemExit(f"waited {LIMIT} s for {what}")


def held_by_one(run):
    """Whether it waits between passes for the one server that is left, with a session that has been busy for some time."""
    check = run.get("check")
    if run["status"] != "RUNNING" or not check or run["steps"][-1][0] != "WaitBeforeNextPass":
        return False
    counts = check["counts"]
    return not check["outlook"]["baking"] and counts["servers"] == 1 and counts["busy"] == 1 and counts["oldestBusySeconds"] > 90


class Application(BaseHTTPRequestHandler):
    """What is behind the tunnels: its answer comes when the recording is done with waiting."""

    may_answer = threading.Event()

    def do_GET(self):
        self.may_answer.wait()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def application():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def tunnels(cloud, ending):
    """Opens tunnels through the listener, and makes the first of them busy. Its request goes to the server that holds it: another
    one would pass it on, and have a request in flight as well."""
    to, busy = f"http://127.0.0.1:{application()}", None
    for number in range(TUNNELS):
        client = subprocess.Popen([ROOT / "target/debug/tunnel-client", "--server", cloud.at["listener"].replace("http", "ws", 1),
                                   "--name", f"recorded-{number}", "--to", to], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ending.callback(client.wait)
        ending.callback(client.terminate)
        if not busy:
            url = f"http://{until('the first tunnel', cloud.holder)}:{cloud.at['servicePort']}/t/recorded-0/"
            busy = threading.Thread(target=urllib.request.urlopen, args=[url], daemon=True)
            busy.start()
    return busy


def keep(name, run):
    RUNS.mkdir(exist_ok=True)
    kept = {key: value for key, value in run.items() if key != "steps"}
    passed = ",\n  ".join(json.dumps(step) for step in run["steps"])
    (RUNS / f"{name}.json").write_text(f'{json.dumps(kept, indent=1)[:-2]},\n "steps": [\n  {passed}\n ]\n}}\n')
    print(f"recorded {name}: {run['status']}, {len(run['steps'])} states", flush=True)


def over(cloud, execution):
    return until("the end", lambda: (run := cloud.run(execution))["status"] != "RUNNING" and run)


def main():
    cloud = Cloud()
    unfit = {"green": {"launchTemplateVersion": cloud.add_unfit_version(), "healthySeconds": 10}}
    rejected = over(cloud, cloud.start(unfit))
    assert rejected.get("error") == "GreenRejected", rejected
    keep("rejected", rejected)
    with ExitStack() as ending:
        asked = tunnels(cloud, ending)
        execution = cloud.start(FIT)
        keep("waiting", until("one busy server", lambda: (run := cloud.run(execution)) and held_by_one(run) and run))
        Application.may_answer.set()
        asked.join()
        promoted = over(cloud, execution)
        assert promoted["status"] == "SUCCEEDED", promoted
        keep("promoted", promoted)


if __name__ == "__main__":
    main()
