"""Scaling activities: what a group has done and tried, and why EC2 refused.

Stock moto describes none. On AWS each launch and each end of a member is one, those in progress come first, and a launch
that EC2 refuses leaves one that is Failed, whose StatusMessage is EC2's message:
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-verify-scaling-activity.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/CHAP_Troubleshooting.html
"""

import json

from moto.autoscaling.models import Activity
from moto.core.responses import ActionResult
from moto.core.utils import utcnow

PAGE = 100
FINISHED = ("Successful", "Failed", "Cancelled")


def at_this_time():
    return f"At {utcnow().strftime('%Y-%m-%dT%H:%M:%SZ')}"


def begin(group, description, cause, details=None):
    """An activity of the group's that is in progress from now on."""
    activity = Activity(description, f"{at_this_time()} {cause}", group)
    activity.end_time = None
    activity.auto_scaling_group_arn = group.arn
    activity.details = json.dumps(details or {})
    all_of(group.autoscaling_backend).insert(0, activity)
    return activity


def finish(activity, code="Successful", message=None):
    activity.status_code, activity.status_message, activity.progress = code, message, 100
    activity.end_time = utcnow()
    return activity


def all_of(backend):
    """The activities of every group, the newest first; those of deleted groups among them."""
    if not hasattr(backend, "activities"):
        backend.activities = []
    return backend.activities


def describe(self):
    name, ids = self._get_param("AutoScalingGroupName"), self._get_param("ActivityIds", [])
    backend = self.autoscaling_backend
    deleted = self._get_bool_param("IncludeDeletedGroups", False)
    wanted = [
        it
        for it in all_of(backend)
        if (not name or it.auto_scaling_group_name == name)
        and (not ids or it.activity_id in ids)
        and (deleted or it.auto_scaling_group_name in backend.autoscaling_groups)
    ]
    wanted.sort(key=lambda it: it.status_code in FINISHED)
    start = int(self._get_param("NextToken") or 0)
    end = start + (self._get_int_param("MaxRecords") or PAGE)
    token = str(end) if end < len(wanted) else None
    return ActionResult({"Activities": wanted[start:end], "NextToken": token})


def install(response):
    response.describe_scaling_activities = describe
