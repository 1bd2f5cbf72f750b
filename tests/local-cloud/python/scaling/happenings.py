"""What happens to a group by itself: an alarm calls a policy, an action's hour comes, zones are balanced.

Each of them only unless its process is suspended, and later only as AWS catches up:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-how-suspending-processes-affects-other-processes.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html

moto knows no time of day, and its alarms are not the group's: the harness says when.
"""

from . import capacity, settings, transitions
from .common import IN_SERVICE, counted, is_suspended, named_group, refused


def alarm(backend, name, policy):
    """The alarm of the group's scaling policy goes off."""
    group = named_group(backend, name)
    known = backend.describe_policies(group.name, [policy])
    if not known:
        raise refused("ValidationError", f"{name} has no policy {policy}.")
    if not is_suspended(group, "AlarmNotification"):
        known[0].execute()


def hour(backend, name, action):
    """The hour of the group's scheduled action comes."""
    group = named_group(backend, name)
    known = backend.describe_scheduled_actions(group.name, [action])
    if not known:
        raise refused("ValidationError", f"{name} has no scheduled action {action}.")
    if is_suspended(group, "ScheduledActions"):
        return
    sizes = {"min_size": known[0].min_size, "max_size": known[0].max_size, "desired_capacity": known[0].desired_capacity}
    nothing = dict.fromkeys(
        ("availability_zones", "launch_config_name", "vpc_zone_identifier", "health_check_period", "health_check_type")
    )
    settings.change(group, launch_template={}, **nothing, **sizes)


def rebalance(backend, name):
    """The group balances its zones: it launches one member, then ends another that is not protected."""
    group = named_group(backend, name)
    if any(is_suspended(group, it) for it in ("AZRebalance", "Launch")):
        return
    free = [it for it in counted(group) if it.lifecycle_state == IN_SERVICE and not it.protected_from_scale_in]
    cause = "an instance was started in response to a rebalance of the group's zones."
    if free and transitions.launch(group, cause) and not is_suspended(group, "Terminate"):
        transitions.end(group, free[0], "was taken out of service to balance the group's zones.")
    capacity.settle(group)


def refuse_launches(backend, name, code, message):
    """EC2 refuses the group's launches from now on, with this code and message; without a code it does so no longer."""
    group = named_group(backend, name)
    group.refuses_launches = (code, message) if code else None
    capacity.settle(group)
