"""A group's settings: what CreateAutoScalingGroup and UpdateAutoScalingGroup refuse, keep and change.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html

- Sizes in the wrong order, a desired capacity outside them, and a launch template or version that there is not, are refused.
  A new smallest or largest size takes the desired capacity along, if that is not named.
- What an update does not name stays as it is. Stock moto erases the mixed instances policy; inside that, too, what is not
  named stays. A launch template in its stead replaces it.
  https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_MixedInstancesPolicy.html
- The settings in `KEPT` are described as they were set; stock moto forgets them. One of them is the instance lifecycle policy:
  https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceLifecyclePolicy.html
- A new group has its hooks and traffic sources before its first member is launched.
"""

from botocore import xform_name
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import EmptyResult

from . import capacity, hooks, refreshes
from .common import group_of_call, refused
from .targets import identifiers

KEPT = (
    "CapacityRebalance",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "DeletionProtection",
    "InstanceLifecyclePolicy",
    "InstanceMaintenancePolicy",
    "MaxInstanceLifetime",
    "TerminationPolicies",
)
CONFIGURATION = ("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName")

stock_create = AutoScalingResponse.create_auto_scaling_group
stock_update = AutoScalingResponse.update_auto_scaling_group
stock_change = FakeAutoScalingGroup.update


def create(self):
    name, backend = self._get_param("AutoScalingGroupName"), self.autoscaling_backend
    if name in backend.autoscaling_groups:
        raise refused("AlreadyExists", "AutoScalingGroup by this name already exists - A group with this name exists.")
    least, most = self._get_int_param("MinSize"), self._get_int_param("MaxSize")
    refuse_sizes(least, most, self._get_int_param("DesiredCapacity"))
    refuse_templates(backend.ec2_backend, {field: self._get_param(field) for field in CONFIGURATION})
    stock_create(self)
    group = group_of_call(self)
    group.append_target_groups(identifiers(self))
    keep(self, group)
    for hook in self._get_param("LifecycleHookSpecificationList", []):
        hooks.keep(group, hook)
    capacity.settle(group)
    return EmptyResult()


def update(self):
    group = group_of_call(self)
    least, most = self._get_int_param("MinSize"), self._get_int_param("MaxSize")
    least, most = group.min_size if least is None else least, group.max_size if most is None else most
    refuse_sizes(least, most, self._get_int_param("DesiredCapacity"))
    named = {field: self._get_param(field) for field in CONFIGURATION if self._get_param(field)}
    if len(named) > 1:
        words = "Valid requests must contain either LaunchTemplate, LaunchConfigurationName or MixedInstancesPolicy parameter."
        raise refused("ValidationError", words)
    refuse_templates(group.ec2_backend, named)
    refresh = refreshes.active(group)
    if named and refresh and refresh["DesiredConfiguration"]:
        raise refused("ValidationError", refreshes.CONFIGURED)
    keep(self, group)
    return stock_update(self)


def keep(response, group):
    for field in KEPT:
        value = response._get_param(field)
        if value is not None:
            setattr(group, xform_name(field), value)


def change(self, **named):
    """In the place of a group's own, which knows neither its policy nor its desired capacity any longer."""
    policy, template = named.pop("mixed_instances_policy", None), named.get("launch_template")
    if policy:
        policy = merged(before(self), policy)
    elif not template and not named.get("launch_config_name"):
        policy = before(self)
    least, most = named.get("min_size"), named.get("max_size")
    if named.get("desired_capacity") is None:
        desired = self.desired_capacity if least is None else max(self.desired_capacity, least)
        named["desired_capacity"] = desired if most is None else min(desired, most)
    stock_change(self, **named, mixed_instances_policy=policy or None)  # An empty one would be described as a policy.


def before(group):
    """The group's policy as it could be asked for: by its template's id, as id and name together are refused."""
    policy = group.mixed_instances_policy
    if not policy:
        return {}
    template = dict(policy["LaunchTemplate"])
    specification = template["LaunchTemplateSpecification"]
    template["LaunchTemplateSpecification"] = {key: specification[key] for key in ("LaunchTemplateId", "Version")}
    return policy | {"LaunchTemplate": template}


def merged(known, asked):
    """What is asked, and of what was there before what is not asked: objects one by one, lists as a whole."""
    both = dict(known)
    for field, value in asked.items():
        is_object = isinstance(value, dict) and isinstance(both.get(field), dict)
        both[field] = merged(both[field], value) if is_object and field != "LaunchTemplateSpecification" else value
    return both


def configure(group, configuration):
    """Gives the group the configuration of an instance refresh."""
    policy, template = configuration.get("MixedInstancesPolicy"), configuration.get("LaunchTemplate")
    group.mixed_instances_policy = merged(before(group), policy) if policy else None
    group._set_launch_configuration(None, template, group.mixed_instances_policy)


def refuse_sizes(least, most, desired):
    if least > most:
        raise refused("ValidationError", f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if desired is not None and not least <= desired <= most:
        words = f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}"
        raise refused("ValidationError", words)


def set_desired(self):
    group, desired = group_of_call(self), self._get_int_param("DesiredCapacity")
    for is_outside, words in (
        (desired > group.max_size, f"above max value {group.max_size}"),
        (desired < group.min_size, f"below min value {group.min_size}"),
    ):
        if is_outside:
            new = f"New SetDesiredCapacity value {desired} is {words} for the AutoScalingGroup."
            raise refused("ValidationError", new)
    group.set_desired_capacity(desired)
    return EmptyResult()


def refuse_templates(ec2, configuration):
    """Refuses launch templates and versions that there are not, those of a policy's overrides included."""
    template = (configuration.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    specifications = [configuration.get("LaunchTemplate"), template.get("LaunchTemplateSpecification")]
    specifications += [it.get("LaunchTemplateSpecification") for it in template.get("Overrides") or []]
    for specification in specifications:
        if specification:
            refuse_template(ec2, specification)


def refuse_template(ec2, specification):
    version = specification.get("Version") or "$Default"
    if version not in ("$Default", "$Latest") and not version.isdigit():
        words = "Invalid launch template version: either '$Default', '$Latest', or a numeric version are allowed."
        raise refused("ValidationError", words)
    try:
        if specification.get("LaunchTemplateId"):
            template = ec2.get_launch_template(specification["LaunchTemplateId"])
        else:
            template = ec2.get_launch_template_by_name(specification.get("LaunchTemplateName"))
        if version == "0":
            raise refused("ValidationError", "A launch template's versions begin with 1.")
        template.get_version(version)
    except ServiceException as error:
        raise refused("ValidationError", f"You must use a valid fully-formed launch template. {error.message}") from error


def launch_template(self):
    """In the place of a group's own: a group with a mixed instances policy has it there only."""
    if self.ec2_launch_template is None or self.mixed_instances_policy:
        return None
    return {
        "LaunchTemplateId": self.ec2_launch_template.id,
        "LaunchTemplateName": self.ec2_launch_template.name,
        "Version": self.provided_launch_template_version,
    }


def install(response):
    FakeAutoScalingGroup.update = change
    FakeAutoScalingGroup.launch_template = property(launch_template)
    response.create_auto_scaling_group = create
    response.update_auto_scaling_group = update
    response.set_desired_capacity = set_desired
