"""Standby: members that are out of service and stay members.

They are deregistered, count in no desired capacity, and are not checked; who leaves standby is registered, and the desired
capacity grows by it. Nobody leaves it while Launch is suspended. Stock moto leaves them registered:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-how-suspending-processes-affects-other-processes.html
"""

from moto.core.responses import ActionResult

from . import activities, capacity, targets
from .common import IN_SERVICE, STANDBY, is_suspended, members_of_call, refused


def demand(states, lifecycle_state):
    for state in states:
        if state.lifecycle_state != lifecycle_state:
            words = f"The instance {state.instance.id} is not in {lifecycle_state}."
            raise refused("ValidationError", words)


def sizes(group, words):
    return refused(
        "ValidationError",
        f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and "
        f"desired-size={group.desired_capacity}. {words}, please update the AutoScalingGroup sizes appropriately.",
    )


def moved(group, state, words):
    instance = state.instance.id
    activity = activities.begin(group, f"Moving EC2 instance {words}: {instance}", f"instance {instance} was moved {words}.")
    return activities.finish(activity)


def enter(self):
    group, states = members_of_call(self)
    demand(states, IN_SERVICE)
    shrinks = self._get_bool_param("ShouldDecrementDesiredCapacity")
    if shrinks and group.desired_capacity - len(states) < group.min_size:
        raise sizes(group, f"To place into standby {len(states)} more instances")
    for state in states:
        state.lifecycle_state = STANDBY
        targets.deregister(group, state)
    group.desired_capacity -= len(states) if shrinks else 0
    made = [moved(group, state, "to Standby") for state in states]
    capacity.settle(group)
    return ActionResult({"Activities": made})


def leave(self):
    group, states = members_of_call(self)
    demand(states, STANDBY)
    if is_suspended(group, "Launch"):
        raise refused("ValidationError", "Instances cannot leave Standby while the Launch process is suspended.")
    if group.desired_capacity + len(states) > group.max_size:
        raise sizes(group, f"To take {len(states)} more instances out of standby")
    for state in states:
        state.lifecycle_state = IN_SERVICE
    targets.register(group, states)
    group.desired_capacity += len(states)
    made = [moved(group, state, "out of Standby") for state in states]
    capacity.settle(group)
    return ActionResult({"Activities": made})


def install(response):
    response.enter_standby = enter
    response.exit_standby = leave
