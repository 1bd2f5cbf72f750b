"""What the harness can bring about in EC2 that no API action does: POST /moto-api/ebbtide/ACT, with an object of JSON.

- forget {}: the terminated instances are forgotten, as if an hour had gone by.
- end {"instance", "code", "message"}: an instance ends by itself, for this reason.
- passes-role {"allowed"}: launches from templates with an instance profile are allowed to functions, or not.
"""

import json

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.moto_api._internal.urls import url_paths

from launches import end, forget_ended, launches

REGION = "us-east-1"  # The harness's: REGION in src/lib.rs.


def forget(_):
    forget_ended(ec2_backends[DEFAULT_ACCOUNT_ID][REGION])


def end_one(asked):
    end(ec2_backends[DEFAULT_ACCOUNT_ID][REGION], asked["instance"], asked["code"], asked["message"])


def allow_passing(asked):
    launches.passes_role = asked["allowed"]


def answering(act):
    def answer(request, _full_url, _headers):
        if request.method != "POST":
            return 405, {}, json.dumps({"Error": "Need to POST"})
        act(json.loads(request.data))
        return 200, {}, json.dumps({"status": "ok"})

    return answer


def install():
    for name, act in (("forget", forget), ("end", end_one), ("passes-role", allow_passing)):
        url_paths["{0}/moto-api/ebbtide/" + name] = answering(act)
