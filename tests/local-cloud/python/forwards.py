"""What listeners and rules forward to, as moto keeps it."""

import moto.elbv2.models as elbv2


def actions_of(backend):
    """ARN and actions of each listener, which are its default rule's, and of each other rule."""
    for balancer in list(backend.load_balancers.values()):
        for listener in list(balancer.listeners.values()):
            yield listener.arn, list(listener.default_actions)
            for rule in list(listener.rules.values()):
                if not rule.is_default:
                    yield rule.arn, list(rule.actions)


def weights(action):
    """Target group ARNs and weights of a forward action, in either of its two spellings."""
    groups = (action.data.get("ForwardConfig") or {}).get("TargetGroups") or []
    if groups:
        return [(group.get("TargetGroupArn"), int(group.get("Weight", 1))) for group in groups]
    single = action.data.get("TargetGroupArn")
    return [(single, 1)] if single else []


def in_use(group):
    """Whether a listener's default action or a rule forwards to the group, at whatever weight."""
    backend = elbv2.elbv2_backends[group.account_id][group.arn.split(":")[3]]
    return any(
        group.arn == named for _, actions in actions_of(backend) for action in actions for named, _ in weights(action)
    )


def forwards(backend, of_group):
    """By the ARN of each listener and rule: a dict for each group of its forward action, with `arn`, `weight`, and what `of_group` adds."""
    return {
        arn: [
            {"arn": group, "weight": weight, **of_group(backend.target_groups.get(group))}
            for action in actions
            for group, weight in weights(action)
        ]
        for arn, actions in actions_of(backend)
    }
