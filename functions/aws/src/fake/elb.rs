//! Elastic Load Balancing in the fake: one load balancer, a listener with rules or two listeners, and target groups.

use aws_sdk_elasticloadbalancingv2::operation::deregister_targets::{
    DeregisterTargetsError, DeregisterTargetsInput, DeregisterTargetsOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_listeners::{
    DescribeListenersError, DescribeListenersInput, DescribeListenersOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::{
    DescribeLoadBalancersError, DescribeLoadBalancersInput, DescribeLoadBalancersOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_rules::{
    DescribeRulesError, DescribeRulesInput, DescribeRulesOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_target_group_attributes::{
    DescribeTargetGroupAttributesError, DescribeTargetGroupAttributesInput,
    DescribeTargetGroupAttributesOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_target_groups::{
    DescribeTargetGroupsError, DescribeTargetGroupsInput, DescribeTargetGroupsOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_target_health::{
    DescribeTargetHealthError, DescribeTargetHealthInput, DescribeTargetHealthOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::modify_listener::{
    ModifyListenerError, ModifyListenerInput, ModifyListenerOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::register_targets::{
    RegisterTargetsError, RegisterTargetsInput, RegisterTargetsOutput,
};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, Listener, LoadBalancer, LoadBalancerTypeEnum,
    ProtocolEnum, Rule, TargetDescription, TargetGroup, TargetGroupAttribute, TargetGroupTuple,
    TargetHealth, TargetHealthDescription, TargetHealthStateEnum, TargetTypeEnum,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use ebbtide_rules::observed::{InstanceState, Target};
use ebbtide_rules::shape::group_name;

use super::answer::{Acted, Answer, operation, page};
use super::{LISTENER, LOAD_BALANCER, SECOND_LISTENER, World, arn, target};

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    operation(
        world,
        input,
        "DescribeListeners",
        DescribeListenersError::generic,
        listeners,
    )
    .or_else(|| {
        operation(
            world,
            input,
            "DescribeRules",
            DescribeRulesError::generic,
            rules,
        )
    })
    .or_else(|| {
        operation(
            world,
            input,
            "DescribeLoadBalancers",
            DescribeLoadBalancersError::generic,
            balancers,
        )
    })
    .or_else(|| {
        operation(
            world,
            input,
            "ModifyListener",
            ModifyListenerError::generic,
            modify,
        )
    })
    .or_else(|| {
        operation(
            world,
            input,
            "DescribeTargetGroups",
            DescribeTargetGroupsError::generic,
            groups,
        )
    })
    .or_else(|| {
        let error = DescribeTargetGroupAttributesError::generic;
        operation(
            world,
            input,
            "DescribeTargetGroupAttributes",
            error,
            attributes,
        )
    })
    .or_else(|| {
        operation(
            world,
            input,
            "DescribeTargetHealth",
            DescribeTargetHealthError::generic,
            health,
        )
    })
    .or_else(|| {
        operation(
            world,
            input,
            "RegisterTargets",
            RegisterTargetsError::generic,
            register,
        )
    })
    .or_else(|| {
        operation(
            world,
            input,
            "DeregisterTargets",
            DeregisterTargetsError::generic,
            deregister,
        )
    })
}

fn listeners(world: &mut World, input: &DescribeListenersInput) -> Acted<DescribeListenersOutput> {
    let asked = input.listener_arns();
    let all = [
        (LISTENER, Some(&world.actions)),
        (SECOND_LISTENER, world.second.as_ref()),
    ];
    let found: Vec<Listener> = all
        .into_iter()
        .filter(|(arn, _)| asked.is_empty() || asked.iter().any(|it| it == arn))
        .filter_map(|(arn, actions)| Some(listener(world, arn, actions?)))
        .collect();
    if found.is_empty() {
        return Err(("ListenerNotFound", "no such listener".to_owned()));
    }
    Ok(DescribeListenersOutput::builder()
        .set_listeners(Some(found))
        .build())
}

fn listener(world: &World, arn: &str, actions: &[Action]) -> Listener {
    Listener::builder()
        .listener_arn(arn)
        .load_balancer_arn(LOAD_BALANCER)
        .protocol(protocol(world))
        .set_default_actions(Some(actions.to_vec()))
        .build()
}

/// The port of every target group.
const PORT: i32 = 80;

fn protocol(world: &World) -> ProtocolEnum {
    let usual = if world.load_balancer == LoadBalancerTypeEnum::Network {
        ProtocolEnum::Tcp
    } else {
        ProtocolEnum::Http
    };
    world.dangers.protocol.clone().unwrap_or(usual)
}

fn rules(world: &mut World, input: &DescribeRulesInput) -> Acted<DescribeRulesOutput> {
    if input.listener_arn() == Some(SECOND_LISTENER) {
        return Ok(DescribeRulesOutput::builder().build());
    }
    let default = Rule::builder()
        .rule_arn("default")
        .is_default(true)
        .set_actions(Some(world.actions.clone()));
    let others = world.rules.iter().map(|(arn, actions)| {
        Rule::builder()
            .rule_arn(arn)
            .is_default(false)
            .set_actions(Some(actions.clone()))
            .build()
    });
    let all: Vec<Rule> = std::iter::once(default.build()).chain(others).collect();
    let (rules, next) = page(&all, input.marker());
    Ok(DescribeRulesOutput::builder()
        .set_rules(Some(rules))
        .set_next_marker(next)
        .build())
}

fn balancers(
    world: &mut World,
    _: &DescribeLoadBalancersInput,
) -> Acted<DescribeLoadBalancersOutput> {
    let balancer = LoadBalancer::builder()
        .load_balancer_arn(LOAD_BALANCER)
        .r#type(world.load_balancer.clone());
    Ok(DescribeLoadBalancersOutput::builder()
        .load_balancers(balancer.build())
        .build())
}

fn modify(world: &mut World, input: &ModifyListenerInput) -> Acted<ModifyListenerOutput> {
    if !world.stubborn {
        let actions = input.default_actions().to_vec();
        if input.listener_arn() == Some(SECOND_LISTENER) {
            world.second = Some(actions);
        } else {
            world.actions = actions;
        }
    }
    Ok(ModifyListenerOutput::builder().build())
}

fn groups(
    world: &mut World,
    input: &DescribeTargetGroupsInput,
) -> Acted<DescribeTargetGroupsOutput> {
    let asked = |arn: &str| input.target_group_arns().iter().any(|it| it == arn);
    let mut balancers = vec![LOAD_BALANCER.to_owned()];
    balancers.extend(world.dangers.other_balancers.iter().cloned());
    let found = world
        .groups
        .iter()
        .filter(|group| asked(&group.arn))
        .map(|group| {
            TargetGroup::builder()
                .target_group_arn(&group.arn)
                .target_group_name(group_name(&group.arn))
                .target_type(TargetTypeEnum::from(group.target_type.as_str()))
                .protocol(protocol(world))
                .port(PORT)
                .health_check_port(world.dangers.health_port.unwrap_or("traffic-port"))
                .set_load_balancer_arns(Some(balancers.clone()))
                .build()
        });
    Ok(DescribeTargetGroupsOutput::builder()
        .set_target_groups(Some(found.collect()))
        .build())
}

fn attributes(
    world: &mut World,
    input: &DescribeTargetGroupAttributesInput,
) -> Acted<DescribeTargetGroupAttributesOutput> {
    let sticky = world
        .group(input.target_group_arn().unwrap_or_default())
        .sticky
        .to_string();
    let attribute = TargetGroupAttribute::builder()
        .key("stickiness.enabled")
        .value(sticky)
        .build();
    let others = world.dangers.groups.iter().map(|(key, value)| {
        TargetGroupAttribute::builder()
            .key(*key)
            .value(*value)
            .build()
    });
    let attributes = std::iter::once(attribute).chain(others).collect();
    Ok(DescribeTargetGroupAttributesOutput::builder()
        .set_attributes(Some(attributes))
        .build())
}

fn health(
    world: &mut World,
    input: &DescribeTargetHealthInput,
) -> Acted<DescribeTargetHealthOutput> {
    let targets = world
        .group(input.target_group_arn().unwrap_or_default())
        .targets
        .iter()
        .map(sdk)
        .collect();
    Ok(DescribeTargetHealthOutput::builder()
        .set_target_health_descriptions(Some(targets))
        .build())
}

fn sdk(target: &Target) -> TargetHealthDescription {
    let state = match (target.registered, target.healthy) {
        (false, _) => TargetHealthStateEnum::Draining,
        (true, true) => TargetHealthStateEnum::Healthy,
        (true, false) => TargetHealthStateEnum::Unhealthy,
    };
    TargetHealthDescription::builder()
        .target(
            TargetDescription::builder()
                .id(&target.instance)
                .set_port(target.ports.first().map(|port| i32::from(*port)))
                .build(),
        )
        .target_health(TargetHealth::builder().state(state).build())
        .build()
}

fn register(world: &mut World, input: &RegisterTargetsInput) -> Acted<RegisterTargetsOutput> {
    let healthy = world.healthy;
    for description in input.targets() {
        let id = description.id().unwrap_or_default();
        if world.instance(id).state != InstanceState::Running {
            return Err(("InvalidTarget", format!("{id} is not running")));
        }
        let group = world.group(input.target_group_arn().unwrap_or_default());
        group.targets.retain(|known| known.instance != id);
        group.targets.push(target(id, healthy));
    }
    Ok(RegisterTargetsOutput::builder().build())
}

/// Without a port, the group's is meant; on another one the target stays (DeregisterTargets' reference).
fn deregister(world: &mut World, input: &DeregisterTargetsInput) -> Acted<DeregisterTargetsOutput> {
    let group = world.group(input.target_group_arn().unwrap_or_default());
    for leaving in input.targets() {
        let port = u16::try_from(leaving.port().unwrap_or(PORT)).unwrap_or_default();
        let mut targets = group.targets.iter_mut();
        let found = targets.find(|it| Some(it.instance.as_str()) == leaving.id());
        if let Some(target) = found.filter(|it| it.ports.contains(&port)) {
            target.ports.retain(|it| *it != port);
            if target.ports.is_empty() {
                target.ports.push(port);
                target.registered = false;
            }
        }
    }
    Ok(DeregisterTargetsOutput::builder().build())
}

/// A forward action with these weights.
pub fn forward(weights: &[(&str, i32)]) -> Action {
    let named: Vec<(String, i32)> = weights
        .iter()
        .map(|(name, weight)| (arn(name), *weight))
        .collect();
    let named: Vec<(&str, i32)> = named
        .iter()
        .map(|(arn, weight)| (arn.as_str(), *weight))
        .collect();
    forward_to(&named)
}

pub(super) fn forward_to(weights: &[(&str, i32)]) -> Action {
    let tuple = |(arn, weight): &(&str, i32)| {
        TargetGroupTuple::builder()
            .target_group_arn(*arn)
            .weight(*weight)
            .build()
    };
    let config = ForwardActionConfig::builder()
        .set_target_groups(Some(weights.iter().map(tuple).collect()))
        .build();
    Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .forward_config(config)
        .build()
}
