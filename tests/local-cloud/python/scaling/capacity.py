"""Capacity: a group has as many members as it desires, as far as its processes, protection and EC2 let it.

AWS sees to that again and again; here `settle` does whenever something about a group changes.

- While Launch is suspended nobody is launched, while Terminate is suspended scale-in and health checks end nobody; what is
  owed is done when they are resumed. Stock moto keeps the names of suspended processes and does as before:
  https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-how-suspending-processes-affects-other-processes.html
- Scale-in passes over protected members that are in service. If only such are left, the desired capacity is lowered all the
  same and the group stays above it, with an activity that says why:
  https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html
- TerminateInstanceInAutoScalingGroup asks for one member by name: neither protection nor a suspended Terminate is about it.
  https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
- A group with members is deleted by ForceDelete only, which pays no heed to hooks:
  https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html

Of equals the oldest member goes first; AWS's termination policies and the weights of mixed instances are not played.
"""

from moto.autoscaling.models import ASG_NAME_TAG, AutoScalingBackend, DetachInstanceActivity, FakeAutoScalingGroup
from moto.core.responses import ActionResult, EmptyResult

from . import activities, health, targets, transitions
from .common import IN_SERVICE, LOCK, counted, group_of_call, is_suspended, member, members_of_call, refused

ALL_PROTECTED = "Could not scale to desired capacity because all remaining instances are protected from scale-in."
DIFFERENCE = "in response to a difference between desired and actual capacity"

stock_attach = AutoScalingBackend.attach_instances


def settle(group):
    """Does what the group owes: ends the unhealthy, then ends or launches until as many count as are desired."""
    with LOCK:
        health.check(group)
        health.replace(group)
        shrink(group)
        grow(group)


def shrink(group):
    members = counted(group)
    surplus = len(members) - group.desired_capacity
    if surplus <= 0 or is_suspended(group, "Terminate"):
        return
    free = [it for it in members if not (it.protected_from_scale_in and it.lifecycle_state == IN_SERVICE)]
    for count, state in enumerate(free[:surplus]):
        change = f"shrinking the capacity from {len(members) - count} to {len(members) - count - 1}"
        transitions.end(group, state, f"was taken out of service {DIFFERENCE}, {change}.")
    if len(free) < surplus:
        say_protected(group)


def say_protected(group):
    """Says once, until something else happens, why the group stays above its desired capacity."""
    cause = f"could not be shrunk to {group.desired_capacity}."
    latest = next((it for it in activities.all_of(group.autoscaling_backend) if it.auto_scaling_group is group), None)
    if latest and latest.description == ALL_PROTECTED and latest.cause.endswith(cause):
        return
    activities.finish(activities.begin(group, ALL_PROTECTED, f"the group {cause}"), "Cancelled")


def grow(group):
    if is_suspended(group, "Launch"):
        return
    while (count := len(counted(group))) < group.desired_capacity:
        change = f"increasing the capacity from {count} to {count + 1}"
        if not transitions.launch(group, f"an instance was started {DIFFERENCE}, {change}."):
            return


def set_desired(self, new_capacity):
    """In the place of a group's own. A group that is still being made launches nobody before it has its hooks."""
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity
    if self.autoscaling_backend.autoscaling_groups.get(self.name) is self:
        settle(self)


def set_desired_of(self, group_name, desired_capacity):
    """In the place of the backend's, which policies use: they stay within the group's sizes."""
    group = self.autoscaling_groups[group_name]
    group.set_desired_capacity(max(group.min_size, min(desired_capacity, group.max_size)))


def terminate(self):
    group, state = member(self.autoscaling_backend, self._get_param("InstanceId"))
    before = group.desired_capacity
    cause = "was taken out of service in response to a user request"
    if self._get_bool_param("ShouldDecrementDesiredCapacity", False) and state in counted(group):
        group.desired_capacity -= 1
        cause += f", shrinking the capacity from {before} to {before - 1}"
    if state.lifecycle_state == transitions.RETAINED:
        transitions.gone(group, state)
    elif state.lifecycle_state not in (transitions.TERMINATING, transitions.TERMINATING_WAIT):
        transitions.end(group, state, f"{cause}.")
    settle(group)
    return ActionResult({"Activity": state.activity})


def detach(self):
    group, states = members_of_call(self)
    shrinks = self._get_bool_param("ShouldDecrementDesiredCapacity", False)
    if shrinks and group.desired_capacity - len(states) < group.min_size:
        raise refused("ValidationError", f"Detaching would violate the group's min size of {group.min_size}.")
    detached = []
    for state in states:
        targets.deregister(group, state)
        group.instance_states = [it for it in group.instance_states if it is not state]
        group.ec2_backend.delete_tags([state.instance.id], {ASG_NAME_TAG: group.name})
        detached.append(DetachInstanceActivity(state.instance))
    group.desired_capacity -= len(states) if shrinks else 0
    settle(group)
    return ActionResult({"Activities": detached})


def attach(self, group_name, instance_ids):
    stock_attach(self, group_name, instance_ids)
    group = self.autoscaling_groups[group_name]
    targets.register(group, [state for state in group.instance_states if state.instance.id in instance_ids])


def protect(self):
    group, states = members_of_call(self)
    for state in states:
        state.protected_from_scale_in = self._get_bool_param("ProtectedFromScaleIn")
    settle(group)
    return EmptyResult()


def delete(self):
    group, backend = group_of_call(self), self.autoscaling_backend
    if group.instance_states and not self._get_bool_param("ForceDelete", False):
        words = "You cannot delete an AutoScalingGroup while there are instances still in the group."
        raise refused("ResourceInUse", words)
    for state in list(group.instance_states):
        transitions.begin(group, state, "was taken out of service in response to a user request.")
        transitions.gone(group, state)
    del backend.autoscaling_groups[group.name]
    for hook in backend.describe_lifecycle_hooks(group.name):
        backend.delete_lifecycle_hook(group.name, hook.name)
    return EmptyResult()


def instances_ended(self, instance_ids):
    """In the place of moto's, which replaces whoever EC2 has ended: a health check has to find that."""
    for group in list(self.autoscaling_groups.values()):
        if any(state.instance.id in instance_ids for state in group.instance_states):
            settle(group)


def install(response):
    FakeAutoScalingGroup.set_desired_capacity = set_desired
    AutoScalingBackend.set_desired_capacity = set_desired_of
    AutoScalingBackend.attach_instances = attach
    AutoScalingBackend.notify_terminate_instances = instances_ended
    response.terminate_instance_in_auto_scaling_group = terminate
    response.detach_instances = detach
    response.set_instance_protection = protect
    response.delete_auto_scaling_group = delete
