"""Lifecycle hooks that hold.

Stock moto keeps them and goes on. On AWS a hook holds a member that is launched or ended in a wait state, until each hook is
completed, deleted, or its heartbeat is over and its default result counts:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/adding-lifecycle-hooks.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html

They hold for whatever reason a member is launched or ended, EC2 having ended its instance included, but not when members are
attached, detached, put on standby or force-deleted:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html

Seconds go by only when the harness says so. No notification is sent, so nobody learns an action's token; the instance's
id does.
"""

from moto.autoscaling.models import AutoScalingBackend, LifecycleHook
from moto.core.responses import EmptyResult

from . import capacity
from .common import PENDING_WAIT, group_of_call, refused
from .transitions import ENDING, LAUNCHING, LONGEST_WAIT, Clock, completed

RESULTS = ("CONTINUE", "ABANDON")
OPTIONAL = {
    "RoleARN": "role_arn",
    "NotificationTargetARN": "notification_target_arn",
    "NotificationMetadata": "notification_metadata",
}

stock_delete = AutoScalingBackend.delete_lifecycle_hook


def put(self):
    fields = "LifecycleHookName LifecycleTransition HeartbeatTimeout DefaultResult".split() + list(OPTIONAL)
    asked = {field: self._get_param(field) for field in fields}
    keep(group_of_call(self), {field: value for field, value in asked.items() if value is not None})
    return EmptyResult()


def keep(group, asked):
    """Makes the hook, or changes what is asked of one that there is."""
    name, backend = asked["LifecycleHookName"], group.autoscaling_backend
    known = next(iter(backend.describe_lifecycle_hooks(group.name, [name])), None)
    if known is None and asked.get("LifecycleTransition") not in (LAUNCHING, ENDING):
        raise refused("ValidationError", f"Invalid Lifecycle Transition: {asked.get('LifecycleTransition')}")
    timeout = int(asked.get("HeartbeatTimeout", 3600))
    if not 30 <= timeout <= 7200:
        raise refused("ValidationError", "Heartbeat timeout must be between 30 and 7200 seconds.")
    if asked.get("DefaultResult", "ABANDON") not in RESULTS:
        raise refused("ValidationError", f"Invalid Lifecycle Action Result: {asked['DefaultResult']}")
    hook = known or LifecycleHook(name, group.name, asked["LifecycleTransition"], None, None)
    if known is None:
        for attribute in OPTIONAL.values():
            setattr(hook, attribute, None)
    hook.lifecycle_transition = asked.get("LifecycleTransition", hook.lifecycle_transition)
    hook.default_result = asked.get("DefaultResult", hook.default_result)
    if "HeartbeatTimeout" in asked:
        hook.heartbeat_timeout = timeout
    hook.global_timeout = min(LONGEST_WAIT, 100 * hook.heartbeat_timeout)
    for field, attribute in OPTIONAL.items():
        if field in asked:
            setattr(hook, attribute, asked[field] or None)
    backend.lifecycle_hooks[f"{group.name}_{name}"] = hook


def delete(self):
    group, name = group_of_call(self), self._get_param("LifecycleHookName")
    if not self.autoscaling_backend.describe_lifecycle_hooks(group.name, [name]):
        raise refused("ValidationError", f"No Lifecycle Hook found with name {name}")
    stock_delete(self.autoscaling_backend, group.name, name)
    for state in waiting(group, name):
        completed(group, state, name, "ABANDON" if state.lifecycle_state == PENDING_WAIT else "CONTINUE")
    capacity.settle(group)
    return EmptyResult()


def waiting(group, name):
    return [state for state in group.instance_states if name in getattr(state, "actions", {})]


def action_of_call(response):
    """The group, the member and the hook's name of the action that a call is about, by instance or by token."""
    group, name = group_of_call(response), response._get_param("LifecycleHookName")
    instance, token = response._get_param("InstanceId"), response._get_param("LifecycleActionToken")
    for state in waiting(group, name):
        if instance == state.instance.id or token == state.actions[name].token:
            return group, state, name
    about = f"instance ID {instance}" if instance else f"token {token}"
    raise refused("ValidationError", f"No active Lifecycle Action found with {about}")


def complete(self):
    group, state, name = action_of_call(self)
    result = self._get_param("LifecycleActionResult")
    if result not in RESULTS:
        raise refused("ValidationError", f"Invalid Lifecycle Action Result: {result}")
    completed(group, state, name, result)
    capacity.settle(group)
    return EmptyResult()


def heartbeat(self):
    _, state, name = action_of_call(self)
    state.actions[name].heartbeat()
    return EmptyResult()


def pass_time(backend, seconds):
    """Lets seconds go by for every hook; those whose heartbeat is over get their default result."""
    Clock.now += seconds
    for group in list(backend.autoscaling_groups.values()):
        for state in list(group.instance_states):
            while over := [it for it in getattr(state, "actions", {}).values() if it.deadline <= Clock.now]:
                completed(group, state, over[0].hook.name, over[0].hook.default_result)
        capacity.settle(group)


def install(response):
    response.put_lifecycle_hook = put
    response.delete_lifecycle_hook = delete
    response.complete_lifecycle_action = complete
    response.record_lifecycle_action_heartbeat = heartbeat
