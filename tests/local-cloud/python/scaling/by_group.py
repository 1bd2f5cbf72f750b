"""Scheduled actions and scaling policies belong to a group: two groups may have one of the same name each.

Stock moto knows them by their names alone, so the second group's takes the first one's place:
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScheduledUpdateGroupAction.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScalingPolicy.html
"""

from moto.autoscaling.models import AutoScalingBackend
from moto.core.responses import EmptyResult

from .common import refused

stock_put_action = AutoScalingBackend.put_scheduled_update_group_action
stock_put_policy = AutoScalingBackend.put_scaling_policy


def put_action(self, name, **fields):
    kept = dict(self.scheduled_actions)
    action = stock_put_action(self, name=name, **fields)
    self.scheduled_actions.clear()
    self.scheduled_actions.update(kept)
    self.scheduled_actions[f"{name}/{action.scheduled_action_name}"] = action
    return action


def delete_action(self, auto_scaling_group_name, scheduled_action_name):
    if self.scheduled_actions.pop(f"{auto_scaling_group_name}/{scheduled_action_name}", None) is None:
        raise refused("ValidationError", "Scheduled action name not found")


def put_policy(self, as_name, **fields):
    kept = dict(self.policies)
    policy = stock_put_policy(self, as_name=as_name, **fields)
    self.policies = kept | {f"{as_name}/{policy.name}": policy}
    return policy


def policy_of_call(response):
    """The key of the policy that a call names, by its ARN or by its name and its group's."""
    group, policy = response._get_param("AutoScalingGroupName"), response._get_param("PolicyName")
    for key, known in response.autoscaling_backend.policies.items():
        if policy == known.arn or (policy == known.name and group in (None, known.auto_scaling_group_name)):
            return key
    raise refused("ValidationError", f"No policy found with name {policy}")


def delete_policy(self):
    del self.autoscaling_backend.policies[policy_of_call(self)]
    return EmptyResult()


def execute_policy(self):
    self.autoscaling_backend.policies[policy_of_call(self)].execute()
    return EmptyResult()


def install(response):
    AutoScalingBackend.put_scheduled_update_group_action = put_action
    AutoScalingBackend.delete_scheduled_action = delete_action
    AutoScalingBackend.put_scaling_policy = put_policy
    response.delete_policy = delete_policy
    response.execute_policy = execute_policy
