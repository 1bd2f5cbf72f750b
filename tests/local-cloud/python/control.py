"""What the harness can bring about in EC2 that no API action does: POST /moto-api/ebbtide/ACT, with an object of JSON.

- forget {}: the terminated instances are forgotten, as if an hour had gone by.
- end {"instance", "code", "message"}: an instance ends by itself, for this reason.
- passes-role {"allowed"}: launches from templates with an instance profile are allowed to functions, or not.
- known {"call"}: answers what IAM would know of the resources that a call's text names.
- seen {"forwards"}: answers all instances, and the groups, weights and targets' health of these listeners and rules.

And in Auto Scaling:

- launches-fail {"group", "code", "message"}: EC2 refuses the group's launches from now on; without a code, no longer.
- unhealthy {"instance"}: a member fails its health checks from now on.
- hooks-time {"seconds"}: so much time goes by for lifecycle hooks.
- refresh {"group", "status"}: the group's instance refresh goes on by one member; with a status, it is in that.
- alarm {"group", "policy"}, hour {"group", "action"}, rebalance {"group"}: what the processes are for happens.
"""

import json

import scaling
from moto.autoscaling.models import autoscaling_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.moto_api._internal.urls import url_paths

from forwards import forwards
from launches import end, forget_ended, launches
from scaling import happenings, health, hooks, refreshes

REGION = "us-east-1"  # The harness's: REGION in src/lib.rs.


def auto_scaling():
    return autoscaling_backends[DEFAULT_ACCOUNT_ID][REGION]


def forget(_):
    forget_ended(ec2_backends[DEFAULT_ACCOUNT_ID][REGION])


def end_one(asked):
    end(ec2_backends[DEFAULT_ACCOUNT_ID][REGION], asked["instance"], asked["code"], asked["message"])
    auto_scaling().notify_terminate_instances([asked["instance"]])


def with_a_group(act, *names):
    """An act upon Auto Scaling, with these of the harness's values."""

    def answer(asked):
        with scaling.LOCK:
            act(auto_scaling(), *(asked.get(name) for name in names))

    return answer


def allow_passing(asked):
    launches.passes_role = asked["allowed"]


def known(asked):
    """Tags of instances and groups, a member standing for its group too, and the templates' versions."""
    call = asked["call"]
    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][REGION]
    groups = auto_scaling().autoscaling_groups
    return {
        "instances": {
            it.id: {tag["key"]: tag["value"] for tag in it.get_tags()} for it in ec2.all_instances() if it.id in call
        },
        "groups": {
            name: {"arn": group.arn, "tags": {tag["Key"]: tag["Value"] for tag in group.tags}}
            for name, group in groups.items()
            if name in call or any(state.instance.id in call for state in group.instance_states)
        },
        "templates": {
            name: {str(version.number): version.data for version in template.versions}
            for name, template in ec2.launch_templates.items()
            if name in call
        },
    }


def seen(asked):
    """As the Describe calls would say it, which cost ten times as much: the harness asks twice a second."""
    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][REGION]
    forwarding = forwards(elbv2_backends[DEFAULT_ACCOUNT_ID][REGION], health_of)
    return {
        "instances": [
            {
                "id": it.id,
                "ip": it.private_ip or "0.0.0.0",
                "state": it.state,
                "tags": {tag["key"]: tag["value"] for tag in it.get_tags()},
            }
            for it in ec2.all_instances()
        ],
        "forwarding": [
            {"of": arn, "group": group.pop("arn"), **group} for arn in asked["forwards"] for group in forwarding[arn]
        ],
    }


def health_of(group):
    targets = list(group.targets.values()) if group else []
    health = {target["Id"]: group.health_for(target, group.ec2_backend).status for target in targets}
    return {"health": health, "healthy": [target for target, status in health.items() if status == "healthy"]}


def answering(act):
    def answer(request, _full_url, _headers):
        if request.method != "POST":
            return 405, {}, json.dumps({"Error": "Need to POST"})
        answered = act(json.loads(request.data))
        return 200, {}, json.dumps(answered or {"status": "ok"}, default=str)

    return answer


ACTS = {
    "forget": forget,
    "end": end_one,
    "passes-role": allow_passing,
    "known": known,
    "seen": seen,
    "launches-fail": with_a_group(happenings.refuse_launches, "group", "code", "message"),
    "unhealthy": with_a_group(health.fails, "instance"),
    "hooks-time": with_a_group(hooks.pass_time, "seconds"),
    "refresh": with_a_group(refreshes.go_on, "group", "status"),
    "alarm": with_a_group(happenings.alarm, "group", "policy"),
    "hour": with_a_group(happenings.hour, "group", "action"),
    "rebalance": with_a_group(happenings.rebalance, "group"),
}


def install():
    for name, act in ACTS.items():
        url_paths["{0}/moto-api/ebbtide/" + name] = answering(act)
