"""What the parts of this package share: the lock, a group's members, and the words of a refusal.

A member's lifecycle state says whether it counts:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
"""

import threading

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError

# moto answers each call in a thread of its own, and a group that two calls change at once would launch twice.
LOCK = threading.RLock()

PENDING, PENDING_WAIT, IN_SERVICE = "Pending", "Pending:Wait", "InService"
TERMINATING, TERMINATING_WAIT, RETAINED = "Terminating", "Terminating:Wait", "Terminating:Retained"
STANDBY = "Standby"
COUNTED = (PENDING, PENDING_WAIT, IN_SERVICE)


def counted(group):
    """The members that the desired capacity is about: neither those that end nor those on standby."""
    return [state for state in group.instance_states if state.lifecycle_state in COUNTED]


def is_suspended(group, process):
    return any(it["ProcessName"] == process for it in group.suspended_processes)


def named_group(backend, name):
    """The group of this name."""
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError("AutoScalingGroup name not found - null")
    return group


def group_of_call(response):
    return named_group(response.autoscaling_backend, response._get_param("AutoScalingGroupName"))


def member(backend, instance_id):
    """The group that an instance is a member of, and its state there."""
    for group in backend.autoscaling_groups.values():
        for state in group.instance_states:
            if state.instance.id == instance_id:
                return group, state
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID {instance_id}")


def members_of_call(response):
    """The group that a call names, and the states of the members that it names."""
    group = group_of_call(response)
    known = {state.instance.id: state for state in group.instance_states}
    ids = response._get_param("InstanceIds", [])
    for instance_id in ids:
        if instance_id not in known:
            raise ValidationError(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
    return group, [known[instance_id] for instance_id in ids]


def refused(code, words):
    return AutoscalingClientError(code, words)
