"""Members in target groups: registered when they come into service, deregistered when they leave it.

Stock moto registers every member anew at each change of its group, and leaves those that scale-in ends registered. On AWS
a member is registered once, by its own instance's group, and deregistered before it ends, stands by or is detached:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/attach-load-balancer-asg.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
Deregistration is over at once here: connections are drained by the balancer, and nobody waits for its delay.

While AddToLoadBalancer is suspended nobody is registered, and who was launched then is not registered later either:
https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-how-suspending-processes-affects-other-processes.html

Traffic sources are the same target groups under another name:
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeTrafficSources.html
"""

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.core.responses import ActionResult, EmptyResult

from .common import IN_SERVICE, group_of_call, is_suspended

TYPE = "elbv2"

stock_attach = AutoScalingBackend.attach_load_balancer_target_groups


def register(group, states, arns=None):
    if is_suspended(group, "AddToLoadBalancer"):
        return
    targets = [{"Id": it.instance.id} for it in states if it.lifecycle_state == IN_SERVICE and it.instance.state == "running"]
    for arn in group.target_group_arns if arns is None else arns:
        if targets:
            group.autoscaling_backend.elbv2_backend.register_targets(arn, targets)


def deregister(group, state, arns=None):
    for arn in group.target_group_arns if arns is None else arns:
        if arn in group.autoscaling_backend.elbv2_backend.target_groups:  # It may be deleted before its group.
            group.autoscaling_backend.elbv2_backend.deregister_targets(arn, [{"Id": state.instance.id}])


def attach(self, group_name, target_group_arns):
    group = self.autoscaling_groups[group_name]
    new = [arn for arn in target_group_arns if arn not in group.target_group_arns]
    stock_attach(self, group_name, target_group_arns)
    register(group, group.instance_states, new)


def detach(self, group_name, target_group_arns):
    group = self.autoscaling_groups[group_name]
    gone = [arn for arn in group.target_group_arns if arn in target_group_arns]
    group.target_group_arns = [arn for arn in group.target_group_arns if arn not in gone]
    for state in group.instance_states:
        deregister(group, state, gone)


def sources(self):
    return [{"Identifier": arn, "Type": TYPE} for arn in self.target_group_arns]


def identifiers(response):
    return [it["Identifier"] for it in response._get_param("TrafficSources", [])]


def state_of(group, arn):
    """InService once a member is healthy there, as AWS says it; Added until then."""
    backend = group.autoscaling_backend.elbv2_backend
    target_group = backend.target_groups.get(arn)
    if target_group is None:
        return "Added"
    ids = {state.instance.id for state in group.instance_states}
    of_ours = [target for target in list(target_group.targets.values()) if target["Id"] in ids]
    healthy = any(target_group.health_for(target, backend.ec2_backend).status == "healthy" for target in of_ours)
    return "InService" if healthy else "Added"


def describe_sources(self):
    group = group_of_call(self)
    asked = self._get_param("TrafficSourceType")
    arns = group.target_group_arns if asked in (None, TYPE) else []
    states = [{"Identifier": arn, "TrafficSource": arn, "Type": TYPE, "State": state_of(group, arn)} for arn in arns]
    return ActionResult({"TrafficSources": states})


def attach_sources(self):
    self.autoscaling_backend.attach_load_balancer_target_groups(group_of_call(self).name, identifiers(self))
    return EmptyResult()


def detach_sources(self):
    self.autoscaling_backend.detach_load_balancer_target_groups(group_of_call(self).name, identifiers(self))
    return EmptyResult()


def install(response):
    AutoScalingBackend.update_attached_target_groups = lambda self, group_name: None
    AutoScalingBackend.attach_load_balancer_target_groups = attach
    AutoScalingBackend.detach_load_balancer_target_groups = detach
    FakeAutoScalingGroup.traffic_sources = property(sources)
    response.describe_traffic_sources = describe_sources
    response.attach_traffic_sources = attach_sources
    response.detach_traffic_sources = detach_sources
