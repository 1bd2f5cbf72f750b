"""Suspended processes: kept by name with the time of their suspension; what is owed is done when they are resumed.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SuspendProcesses.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SuspendedProcess.html

An instance refresh does not keep anybody from suspending; it is paused while InstanceRefresh, Launch or Terminate is:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-how-suspending-processes-affects-other-processes.html
"""

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.core.utils import utcnow

from . import capacity
from .common import refused

PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)

stock_suspend = AutoScalingBackend.suspend_processes
stock_resume = AutoScalingBackend.resume_processes


def suspended(self):
    return [{"ProcessName": name, "SuspensionReason": why} for name, why in self._suspended.items()]


def set_suspended(self, names):
    """Keeps the reason of who is suspended already. moto sets names in no particular order."""
    before, since = getattr(self, "_suspended", {}), utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")
    self._suspended = {it: before.get(it, f"User suspended at {since}") for it in PROCESSES if it in names}


def demand_known(names):
    for name in names:
        if name not in PROCESSES:
            raise refused("ValidationError", f"{name} is not a scaling process")


def suspend(self, group_name, scaling_processes):
    demand_known(scaling_processes)
    stock_suspend(self, group_name, scaling_processes)


def resume(self, group_name, scaling_processes):
    demand_known(scaling_processes)
    stock_resume(self, group_name, scaling_processes)
    capacity.settle(self.autoscaling_groups[group_name])


def install(_response):
    FakeAutoScalingGroup.suspended_processes = property(suspended, set_suspended)
    AutoScalingBackend.suspend_processes = suspend
    AutoScalingBackend.resume_processes = resume
