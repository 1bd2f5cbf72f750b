"""Auto Scaling as AWS does it, where stock moto does otherwise or nothing. Each part says what it is about, and AWS's page.

- capacity: who is launched and ended; suspended processes and protection.
- transitions: a member's way from launch to end; targets: its registrations.
- hooks, health, standby, refreshes, suspension: what their names say.
- settings: what groups are made with and changed to; by_group: their actions and policies; activities: what they did.
- refusals: who may do what to which group.
- happenings: what the harness brings about, and no call does.

AWS does in its own time what a call asks for. Here it is done when the call is answered.
"""

from moto.autoscaling.responses import AutoScalingResponse

from . import (
    activities,
    by_group,
    capacity,
    health,
    hooks,
    refreshes,
    refusals,
    settings,
    standby,
    suspension,
    targets,
    transitions,
)
from .common import LOCK

PARTS = (activities, targets, transitions, capacity, health, hooks, standby, suspension, refreshes, settings, by_group)

stock_call = AutoScalingResponse.call_action


def call_action(self):
    with LOCK:
        return stock_call(self)


def install():
    AutoScalingResponse.call_action = call_action
    for part in PARTS:
        part.install(AutoScalingResponse)
    refusals.install(AutoScalingResponse)  # The last one: it wraps what the others put in moto's place.
