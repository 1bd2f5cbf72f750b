"""Instance refreshes, which stock moto does not know.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CancelInstanceRefresh.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html

One at a time is active in a group. It begins Pending, and the harness lets it go on: each time one member that was there
before is ended and replaced, until none is left. It is paused while InstanceRefresh, Launch or Terminate is suspended.
Protected members and those on standby are left as they are, unless its preferences say `Refresh` of the protected ones;
AWS waits an hour for them by default. While it has a configuration of its own, nobody else changes the group's.
"""

import uuid

from moto.core.responses import ActionResult
from moto.core.utils import utcnow

from . import capacity, settings, transitions
from .common import IN_SERVICE, group_of_call, is_suspended, named_group, refused

ACTIVE = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")
CONFIGURED = (
    "An active instance refresh with a desired configuration exists. All configuration options derived from the desired "
    "configuration are not available for update while the instance refresh is active."
)


def of(group):
    """The group's refreshes, the newest first."""
    if not hasattr(group, "refreshes"):
        group.refreshes = []
    return group.refreshes


def active(group):
    return next((it for it in of(group) if it["Status"] in ACTIVE), None)


def start(self):
    group = group_of_call(self)
    if active(group):
        words = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."
        raise refused("InstanceRefreshInProgress", words)
    configuration = self._get_param("DesiredConfiguration")
    if configuration:
        settings.refuse_templates(group.ec2_backend, configuration)
    refresh = {
        "InstanceRefreshId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Status": "Pending",
        "Strategy": self._get_param("Strategy") or "Rolling",
        "Preferences": self._get_param("Preferences"),
        "DesiredConfiguration": configuration,
        "PercentageComplete": 0,
        "InstancesToUpdate": len(group.instance_states),
    }
    of(group).insert(0, refresh)
    group.refreshed = {state.instance.id for state in group.instance_states}
    return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})


def describe(self):
    group, ids = group_of_call(self), self._get_param("InstanceRefreshIds", [])
    return ActionResult({"InstanceRefreshes": [it for it in of(group) if not ids or it["InstanceRefreshId"] in ids]})


def cancel(self):
    refresh = active(group_of_call(self))
    if refresh is None:
        words = "No in progress or pending Instance Refresh found for the Auto Scaling group."
        raise refused("ActiveInstanceRefreshNotFound", words)
    becomes(refresh, "Cancelled")
    return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})


def becomes(refresh, status):
    refresh["Status"] = status
    refresh.setdefault("StartTime", utcnow())
    if status not in ACTIVE:
        refresh["EndTime"] = utcnow()


def left(group, refresh):
    """The members that are still to be replaced, those that may not be first among them left out."""
    protected_too = (refresh["Preferences"] or {}).get("ScaleInProtectedInstances") == "Refresh"
    return [
        state
        for state in group.instance_states
        if state.instance.id in group.refreshed
        and state.lifecycle_state == IN_SERVICE
        and (protected_too or not state.protected_from_scale_in)
    ]


def go_on(backend, name, status=None):
    """Lets the group's active refresh go on by a member, or brings it to this status."""
    group = named_group(backend, name)
    refresh = active(group)
    if refresh is None:
        raise refused("ActiveInstanceRefreshNotFound", f"No refresh of {name} is active.")
    if status:
        becomes(refresh, status)
        return
    if any(is_suspended(group, it) for it in ("InstanceRefresh", "Launch", "Terminate")):
        return
    becomes(refresh, "InProgress")
    if refresh["DesiredConfiguration"]:
        settings.configure(group, refresh["DesiredConfiguration"])
    if waiting := left(group, refresh):
        transitions.end(group, waiting[0], "was taken out of service in response to an instance refresh.")
        capacity.settle(group)
    refresh["InstancesToUpdate"] = len(left(group, refresh))
    if not left(group, refresh):
        refresh["PercentageComplete"] = 100
        becomes(refresh, "Successful")


def install(response):
    response.start_instance_refresh = start
    response.describe_instance_refreshes = describe
    response.cancel_instance_refresh = cancel
