"""Calls that AWS refuses, and stock moto does not.

- To end a member and the capacity with it where the group would fall below its smallest size:
  https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
- To change a group that does not carry the service's tag. Who calls is not known here, so whoever calls is refused; a
  group is made, tagged and described by anybody. Which tag the roles ask for is in template.yaml:
  https://docs.aws.amazon.com/autoscaling/ec2/userguide/security_iam_id-based-policy-examples.html
"""

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError

from .common import member

SERVICE_TAG = "ebbtide:service"
# The actions with that condition, by moto's names and by AWS's.
CONDITIONED = {
    "put_lifecycle_hook": "PutLifecycleHook",
    "delete_lifecycle_hook": "DeleteLifecycleHook",
    "complete_lifecycle_action": "CompleteLifecycleAction",
    "record_lifecycle_action_heartbeat": "RecordLifecycleActionHeartbeat",
    "suspend_processes": "SuspendProcesses",
    "resume_processes": "ResumeProcesses",
    "set_instance_protection": "SetInstanceProtection",
    "update_auto_scaling_group": "UpdateAutoScalingGroup",
    "terminate_instance_in_auto_scaling_group": "TerminateInstanceInAutoScalingGroup",
}


def group_of(response):
    """The group that a call is about, by its name or by a member."""
    name = response._get_param("AutoScalingGroupName")
    if name:
        return response.autoscaling_backend.autoscaling_groups.get(name)
    return member(response.autoscaling_backend, response._get_param("InstanceId"))[0]


def refuse_untagged(group, action):
    if not any(tag["Key"] == SERVICE_TAG for tag in group.tags):
        raise AutoscalingClientError(
            "AccessDenied",
            f"User is not authorized to perform: autoscaling:{action} on resource: {group.arn} because no "
            f"identity-based policy allows the autoscaling:{action} action",
        )


def refuse_too_small(group, response):
    shrinks = response._get_bool_param("ShouldDecrementDesiredCapacity", False)
    if shrinks and group.desired_capacity - 1 < group.min_size:
        raise ValidationError(
            "Terminating instance without replacement will violate group's min size constraint. Either set "
            "shouldDecrementDesiredCapacity flag to false or lower group's min size."
        )


def refusing(stock, action):
    def answer(self):
        group = group_of(self)
        if group:
            refuse_untagged(group, action)
            if action == "TerminateInstanceInAutoScalingGroup":
                refuse_too_small(group, self)
        return stock(self)

    return answer


def install(response):
    for name, action in CONDITIONED.items():
        setattr(response, name, refusing(getattr(response, name), action))
