"""What Elastic Load Balancing answers on AWS where stock moto answers otherwise: attributes, and targets with ports.

- The attributes of a TLS or UDP listener cannot be asked for: of a Network Load Balancer's, TCP and TCP_UDP ones have any.
  https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
- Groups have more attributes, with these defaults:
  https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
- To deregister a target that is not registered succeeds, and so does it without the port of a target that was
  registered with one of its own, which stays:
  https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html

moto keys a group's targets by id, so an instance has one port in a group: registered on another one it moves there, where
AWS would have it on both.
"""

import moto.elbv2.models as elbv2
from moto.elbv2.exceptions import InvalidConfigurationRequest

WITHOUT_ATTRIBUTES = ("TLS", "UDP")
OF_EVERY_GROUP = {
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
OF_A_NETWORK_GROUP = {
    "deregistration_delay.connection_termination.enabled": "false",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
}
OF_TCP_AND_TLS = {
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}

stock_group = elbv2.FakeTargetGroup.__init__
stock_deregister = elbv2.FakeTargetGroup.deregister
stock_listener_attributes = elbv2.ELBv2Backend.describe_listener_attributes
stock_change_of_attributes = elbv2.ELBv2Backend.modify_listener_attributes


def group(self, *arguments, **named):
    stock_group(self, *arguments, **named)
    if self.target_type == "lambda":
        return
    self.attributes.update(OF_EVERY_GROUP)
    if self.protocol in ("TCP", "TLS", "UDP", "TCP_UDP"):
        self.attributes.update(OF_A_NETWORK_GROUP)
    if self.protocol in ("TCP", "TLS"):
        self.attributes.update(OF_TCP_AND_TLS)


def deregister(self, targets):
    def is_registered(target):
        known = self.targets.get(target["Id"])
        return known is not None and str(known["Port"]) == str(target.get("Port", self.port))

    stock_deregister(self, [target for target in targets if is_registered(target)])


def refuse_attributes(backend, listener_arn):
    listener = backend.describe_listeners(load_balancer_arn=None, listener_arns=[listener_arn])[0]
    if listener.protocol in WITHOUT_ATTRIBUTES:
        raise InvalidConfigurationRequest(f"Listener attributes are not supported for {listener.protocol} listeners")


def listener_attributes(self, listener_arn):
    refuse_attributes(self, listener_arn)
    return stock_listener_attributes(self, listener_arn)


def change_of_attributes(self, listener_arn, attrs):
    refuse_attributes(self, listener_arn)
    return stock_change_of_attributes(self, listener_arn, attrs)


def install():
    elbv2.FakeTargetGroup.__init__ = group
    elbv2.FakeTargetGroup.deregister = deregister
    elbv2.ELBv2Backend.describe_listener_attributes = listener_attributes
    elbv2.ELBv2Backend.modify_listener_attributes = change_of_attributes
