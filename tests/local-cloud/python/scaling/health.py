"""Health: who is found unhealthy, and who is replaced for it.

- A member whose instance no longer runs is unhealthy, and so is one that the harness says fails its checks. While
  HealthCheck is suspended nobody is found to be; SetInstanceHealth marks all the same.
- An unhealthy member in service is ended and replaced, protected or not, unless ReplaceUnhealthy or Terminate is suspended;
  when they are resumed, at once. While Launch is suspended it is ended, and replaced later.
- Members on standby are not checked.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-how-suspending-processes-affects-other-processes.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html

Stock moto replaces whoever EC2 has ended, whatever is suspended, and nobody else. What the load balancer finds unhealthy
(HealthCheckType ELB) is not looked at here: the harness says who fails.
"""

from moto.core.responses import EmptyResult

from . import capacity, transitions
from .common import PENDING_WAIT, counted, is_suspended, member, refused

UNHEALTHY, HEALTHY = "Unhealthy", "Healthy"
NOT_RUNNING = "an EC2 health check indicating it has been terminated or stopped."
FAILED = "an ELB system health check failure."
BY_A_USER = "a user health-check."


def check(group):
    """Marks the members that a health check finds unhealthy."""
    if is_suspended(group, "HealthCheck"):
        return
    for state in counted(group):
        if state.instance.state != "running":
            mark(state, NOT_RUNNING)
        elif getattr(state, "fails", False):
            mark(state, FAILED)


def mark(state, why):
    if state.health_status != UNHEALTHY:
        state.health_status, state.unhealthy_because = UNHEALTHY, why


def replace(group):
    """Ends the unhealthy members; who replaces them is launched as for any other missing one."""
    if is_suspended(group, "ReplaceUnhealthy") or is_suspended(group, "Terminate"):
        return
    for state in counted(group):
        if state.health_status != UNHEALTHY:
            continue
        cause = f"was taken out of service in response to {state.unhealthy_because}"
        if state.lifecycle_state == PENDING_WAIT:
            transitions.begin(group, state, cause)
            transitions.gone(group, state)
        else:
            transitions.end(group, state, cause)


def fails(backend, instance_id):
    """From now on the member fails every health check."""
    group, state = member(backend, instance_id)
    state.fails = True
    capacity.settle(group)


def set_health(self):
    group, state = member(self.autoscaling_backend, self._get_param("InstanceId"))
    status = self._get_param("HealthStatus")
    if status not in (HEALTHY, UNHEALTHY):
        raise refused("ValidationError", "Valid instance health states are: [Healthy, Unhealthy].")
    if status == UNHEALTHY:
        mark(state, BY_A_USER)
    else:
        state.health_status = HEALTHY
    capacity.settle(group)
    return EmptyResult()


def install(response):
    response.set_instance_health = set_health
