"""A member's way through its group: launched, held by hooks, in service, held again, ended.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html

- A launch that EC2 refuses leaves a Failed activity, and the call that wanted it succeeds all the same. Stock moto fails
  the call.
- New members are spread over the group's subnets. Stock moto uses the first one.
- A member, and its tags, say which version of the template it was launched from. Stock moto says the default one.
- A member that ends is deregistered first, then held by every termination hook of its group.
- A member whose launch is abandoned ends, without termination hooks.
- EC2's termination protection does not keep a group from ending a member:
  https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html
"""

import uuid
from dataclasses import dataclass

from moto.autoscaling.models import ASG_NAME_TAG, InstanceState
from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import EC2ClientError

from . import activities, targets
from .common import IN_SERVICE, PENDING, PENDING_WAIT, RETAINED, TERMINATING, TERMINATING_WAIT, counted

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
ENDING = "autoscaling:EC2_INSTANCE_TERMINATING"
LONGEST_WAIT = 172_800  # Seconds, or a hundred heartbeats if that is less.


class Clock:
    """The seconds that hooks know. Only the harness lets them go by, so that nothing depends on an idle machine."""

    now = 0


@dataclass
class Action:
    """A hook that holds a member."""

    hook: object
    token: str
    began: int
    deadline: int

    def heartbeat(self):
        timeout = self.hook.heartbeat_timeout
        latest = self.began + min(LONGEST_WAIT, 100 * timeout)
        self.deadline = min(Clock.now + timeout, latest)


def launch(group, cause):
    """Launches one member. Returns whether EC2 let it."""
    subnet, zone = place(group)
    details = {"Subnet ID": subnet, "Availability Zone": zone}
    activity = activities.begin(group, "Launching a new EC2 instance", cause, details)
    try:
        instance = run_one(group, subnet, zone)
    except ServiceException as error:
        words = f"{error.message} Launching EC2 instance failed."
        activity.description += f".  Status Reason: {words}"
        activities.finish(activity, "Failed", words)
        return False
    activity.description += f": {instance.id}"
    instance.autoscaling_group = group
    state = InstanceState(instance, PENDING, protected_from_scale_in=group.new_instances_protected_from_scale_in)
    state.launched_from = template_of(group)
    state.activity = activity
    group.instance_states.append(state)
    if not held(group, state, LAUNCHING, PENDING_WAIT):
        into_service(group, state)
    return True


def place(group):
    """The subnet, and its zone, with the fewest members of the group."""
    if not group.vpc_zone_identifier:
        return None, group.availability_zones[0]
    ids = [it.strip() for it in group.vpc_zone_identifier.split(",")]
    there = [state.instance.subnet_id for state in counted(group)]
    subnet = min(ids, key=there.count)
    return subnet, group.ec2_backend.get_subnet(subnet).availability_zone


def template_of(group):
    """The launch template's version that the group launches now, as a number."""
    template = group.ec2_launch_template
    if template is None:
        return None
    version = template.get_version(group.launch_template_version)
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(version.number)}


def instance_type(group):
    """The first override's, as with the allocation strategy `prioritized`; else the template's."""
    policy = (group.mixed_instances_policy or {}).get("LaunchTemplate", {})
    of_overrides = [it["InstanceType"] for it in policy.get("Overrides") or [] if it.get("InstanceType")]
    return of_overrides[0] if of_overrides else group.instance_type


def run_one(group, subnet, zone):
    refusal = getattr(group, "refuses_launches", None)
    if refusal:
        raise EC2ClientError(*refusal)
    tags = group.get_propagated_tags() | {ASG_NAME_TAG: group.name} | group.instance_tags
    template = template_of(group)
    launch_template = {key: template[key] for key in ("LaunchTemplateId", "Version")} if template else None
    configuration = group.launch_config
    reservation = group.ec2_backend.run_instances(
        group.image_id,
        1,
        None if template else group.user_data,  # EC2 has it of the template; moto refuses to read it there itself.
        group.security_groups,
        instance_type=instance_type(group),
        tags={"instance": tags},
        placement=zone,
        launch_config=configuration,
        launch_template=launch_template,
        is_instance_type_default=False,
        associate_public_ip=configuration.associate_public_ip_address if configuration else None,
        subnet_id=subnet,
    )
    return reservation.instances[0]


def held(group, state, transition, waiting):
    """Whether hooks hold the member; they do from now on if there are any."""
    hooks = [
        hook
        for hook in group.autoscaling_backend.describe_lifecycle_hooks(group.name)
        if hook.lifecycle_transition == transition
    ]
    state.actions = {}
    for hook in hooks:
        action = state.actions[hook.name] = Action(hook, str(uuid.uuid4()), Clock.now, 0)
        action.heartbeat()
    if hooks:
        state.lifecycle_state, state.activity.status_code = waiting, "MidLifecycleAction"
    return bool(hooks)


def completed(group, state, name, result):
    """A hook holds the member no longer; it goes on when none does. ABANDON lets go of it for all of them."""
    del state.actions[name]
    if result == "ABANDON":
        state.actions.clear()
    if state.actions:
        return
    if state.lifecycle_state == PENDING_WAIT:
        if result == "CONTINUE":
            into_service(group, state)
        else:
            activities.finish(state.activity, "Cancelled")
            begin(group, state, "was abandoned by a lifecycle hook.")
            gone(group, state)
    elif result == "ABANDON" and retains(group):
        state.lifecycle_state = RETAINED
    else:
        gone(group, state)


def retains(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/configure-instance-retention.html"""
    policy = getattr(group, "instance_lifecycle_policy", None) or {}
    return policy.get("RetentionTriggers", {}).get("TerminateHookAbandon") == "retain"


def into_service(group, state):
    state.lifecycle_state = IN_SERVICE
    targets.register(group, [state])
    activities.finish(state.activity)


def begin(group, state, cause):
    """Takes the member out of service; it counts no longer."""
    instance = state.instance
    state.activity = activities.begin(group, f"Terminating EC2 instance: {instance.id}", f"instance {instance.id} {cause}")
    state.lifecycle_state = TERMINATING
    targets.deregister(group, state)
    return state.activity


def end(group, state, cause):
    """Ends the member, at once or when its hooks let it go. Returns the activity."""
    activity = begin(group, state, cause)
    if not held(group, state, ENDING, TERMINATING_WAIT):
        gone(group, state)
    return activity


def gone(group, state):
    """Terminates the instance if it has not ended by itself, and forgets the member."""
    instance = state.instance
    if instance.state != "terminated":
        instance.terminate()
        group.autoscaling_backend.elbv2_backend.notify_terminate_instances([instance.id])
    group.instance_states = [it for it in group.instance_states if it is not state]
    activities.finish(state.activity)


def install(_response):
    InstanceState.launch_template = property(lambda self: getattr(self, "launched_from", None))
