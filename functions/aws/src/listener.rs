//! A listener or rule that carries the service's traffic: its weights are read and set, everything else is kept.
//!
//! Refuses an action list that it could not write back as it was: AWS replaces the whole list.

mod attributes;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, LoadBalancerTypeEnum, TargetGroupTuple,
};
use ebbtide_rules::observed::{Forward, GroupWeight};
use ebbtide_rules::plan::{Balancer, LoadBalancer, OtherForward, Protocol};

use crate::CloudError;
use crate::error::Called;
use crate::once::once;

/// Reads and changes one listener's default action, or one rule's.
#[derive(Debug, Clone)]
pub struct Listener {
    client: Client,
    arn: String,
}

/// The action list as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Its one forward action.
    pub forward: Forward,
    actions: Vec<Action>,
    position: usize,
}

/// Why weights cannot be set in an action list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitAction {
    /// NotOneForward is when there is no forward action, or more than one.
    #[error("{arn} has {count} forward actions; weights move in exactly one")]
    NotOneForward {
        /// The listener or rule.
        arn: String,
        /// How many it has.
        count: usize,
    },
    /// UnknownAction is when the list has an action of a type that this version cannot write back.
    #[error("{arn} has an action of type {kind}, which this version of Ebbtide cannot keep")]
    UnknownAction {
        /// The listener or rule.
        arn: String,
        /// The action's type.
        kind: String,
    },
}

impl Listener {
    pub(crate) fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// Reads the action list.
    ///
    /// # Errors
    /// AWS's failure, or a list that could not be written back.
    pub async fn read(&self) -> Result<Live, CloudError> {
        let actions = if self.is_rule() {
            self.rules_actions().await?
        } else {
            self.listeners_actions().await?
        };
        Ok(live(&self.arn, actions)?)
    }

    /// Sets the weights and keeps everything else of `live`, which must have been read just before.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn set(&self, live: &Live, groups: &[GroupWeight]) -> Result<(), CloudError> {
        let actions = weighted(live, groups);
        if self.is_rule() {
            let call = self.client.modify_rule().rule_arn(&self.arn);
            once!(
                aws_sdk_elasticloadbalancingv2,
                call.set_actions(Some(actions))
            )
            .await
            .called(|| format!("ModifyRule of {}", self.arn))?;
        } else {
            let call = self.client.modify_listener().listener_arn(&self.arn);
            once!(
                aws_sdk_elasticloadbalancingv2,
                call.set_default_actions(Some(actions))
            )
            .await
            .called(|| format!("ModifyListener of {}", self.arn))?;
        }
        Ok(())
    }

    /// The load balancer with its kind, the listener's protocol and what follows from both; from AWS, because an ARN's
    /// `app/` or `net/` is a habit and no contract.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn load_balancer(&self) -> Result<Balancer, CloudError> {
        let (arn, protocol) = self.listener().await?;
        let operation = format!("DescribeLoadBalancers of {arn}");
        let answer = self
            .client
            .describe_load_balancers()
            .load_balancer_arns(&arn)
            .send()
            .await;
        let answer = answer.called(|| operation)?;
        let kind = answer
            .load_balancers()
            .first()
            .and_then(|balancer| balancer.r#type());
        let kind = match kind {
            Some(LoadBalancerTypeEnum::Application) => LoadBalancer::Application,
            Some(LoadBalancerTypeEnum::Network) => LoadBalancer::Network(protocol),
            other => LoadBalancer::Unfit(
                other
                    .map_or("unknown", LoadBalancerTypeEnum::as_str)
                    .to_owned(),
            ),
        };
        self.described(arn, kind).await
    }

    /// The load balancer of this listener, and the listener's protocol.
    async fn listener(&self) -> Result<(String, Protocol), CloudError> {
        let listener = self.listener_arn();
        let operation = format!("DescribeListeners of {listener}");
        let answer = self
            .client
            .describe_listeners()
            .listener_arns(&listener)
            .send()
            .await;
        let answer = answer.called(|| &operation)?;
        let found = answer.listeners().first();
        let arn = found.and_then(|listener| listener.load_balancer_arn());
        let arn = arn
            .ok_or_else(|| CloudError::unexpected(operation, "no listener with a load balancer"))?;
        let protocol = found.and_then(|listener| listener.protocol());
        Ok((arn.to_owned(), attributes::protocol(protocol)))
    }

    /// Every forward of the same load balancer, by listener or rule, but those of the service's `own`.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn other_forwards(
        &self,
        balancer: &Balancer,
        own: &[String],
    ) -> Result<Vec<OtherForward>, CloudError> {
        let load_balancer = &balancer.arn;
        let mut pages = self
            .client
            .describe_listeners()
            .load_balancer_arn(load_balancer)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.called(|| format!("DescribeListeners of {load_balancer}"))?;
            for listener in page.listeners() {
                let arn = listener.listener_arn().unwrap_or_default();
                found.extend(forwards(arn, listener.default_actions()));
                if balancer.kind == LoadBalancer::Application {
                    found.extend(self.forwards_of_rules(arn).await?);
                }
            }
        }
        found.retain(|forward| !own.contains(&forward.from));
        Ok(found)
    }

    /// Those of a listener's rules but the default one, which is the listener's own action.
    async fn forwards_of_rules(&self, listener: &str) -> Result<Vec<OtherForward>, CloudError> {
        let mut pages = self
            .client
            .describe_rules()
            .listener_arn(listener)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.called(|| format!("DescribeRules of {listener}"))?;
            for rule in page
                .rules()
                .iter()
                .filter(|rule| rule.is_default() != Some(true))
            {
                let arn = rule.rule_arn().unwrap_or_default();
                found.extend(forwards(arn, rule.actions()));
            }
        }
        Ok(found)
    }

    async fn listeners_actions(&self) -> Result<Vec<Action>, CloudError> {
        let operation = || format!("DescribeListeners of {}", self.arn);
        let answer = self
            .client
            .describe_listeners()
            .listener_arns(&self.arn)
            .send()
            .await;
        let answer = answer.called(operation)?;
        let listener = answer.listeners().first();
        let listener = listener
            .ok_or_else(|| CloudError::unexpected(operation(), "there is no such listener"))?;
        Ok(listener.default_actions().to_vec())
    }

    async fn rules_actions(&self) -> Result<Vec<Action>, CloudError> {
        let operation = || format!("DescribeRules of {}", self.arn);
        let answer = self
            .client
            .describe_rules()
            .rule_arns(&self.arn)
            .send()
            .await;
        let answer = answer.called(operation)?;
        let rule = answer.rules().first();
        Ok(rule
            .ok_or_else(|| CloudError::unexpected(operation(), "there is no such rule"))?
            .actions()
            .to_vec())
    }

    fn is_rule(&self) -> bool {
        self.arn.contains(":listener-rule/")
    }

    /// The listener that a rule belongs to: its ARN is the rule's, less the last part and the word `-rule`
    /// (Elastic Load Balancing's user guide, "resource types": `listener-rule/app/name/balancer/listener/rule`).
    fn listener_arn(&self) -> String {
        if !self.is_rule() {
            return self.arn.clone();
        }
        let listener = self.arn.replacen(":listener-rule/", ":listener/", 1);
        listener
            .rsplit_once('/')
            .map_or(listener.clone(), |(listener, _)| listener.to_owned())
    }
}

fn live(arn: &str, actions: Vec<Action>) -> Result<Live, UnfitAction> {
    if let Some(unknown) = actions
        .iter()
        .find_map(|action| unknown_type(action.r#type()))
    {
        return Err(UnfitAction::UnknownAction {
            arn: arn.to_owned(),
            kind: unknown,
        });
    }
    let positions: Vec<usize> = (0..actions.len())
        .filter(|index| is_forward(&actions[*index]))
        .collect();
    let [position] = positions[..] else {
        return Err(UnfitAction::NotOneForward {
            arn: arn.to_owned(),
            count: positions.len(),
        });
    };
    Ok(Live {
        forward: read(&actions[position]),
        actions,
        position,
    })
}

/// The type's name when the SDK does not know it, and so could not write its settings back.
fn unknown_type(kind: Option<&ActionTypeEnum>) -> Option<String> {
    let Some(kind) = kind else {
        return Some("none".to_owned());
    };
    (!ActionTypeEnum::values().contains(&kind.as_str())).then(|| kind.as_str().to_owned())
}

fn is_forward(action: &Action) -> bool {
    action.r#type() == Some(&ActionTypeEnum::Forward)
}

fn read(action: &Action) -> Forward {
    let config = action.forward_config();
    let tuples = config
        .map(ForwardActionConfig::target_groups)
        .unwrap_or_default();
    let weight = |tuple: &TargetGroupTuple| {
        Some(GroupWeight {
            target_group_arn: tuple.target_group_arn()?.to_owned(),
            // One group without a weight gets everything.
            weight: tuple
                .weight()
                .and_then(|weight| u32::try_from(weight).ok())
                .unwrap_or(1),
        })
    };
    let mut groups: Vec<GroupWeight> = tuples.iter().filter_map(weight).collect();
    if groups.is_empty() {
        let only = action.target_group_arn().map(|arn| GroupWeight {
            target_group_arn: arn.to_owned(),
            weight: 1,
        });
        groups.extend(only);
    }
    let stickiness = config.and_then(ForwardActionConfig::target_group_stickiness_config);
    Forward {
        groups,
        sticky: stickiness.and_then(|stickiness| stickiness.enabled()) == Some(true),
    }
}

fn forwards(from: &str, actions: &[Action]) -> Vec<OtherForward> {
    let groups = actions
        .iter()
        .filter(|action| is_forward(action))
        .flat_map(|action| read(action).groups);
    groups
        .map(|group| OtherForward {
            from: from.to_owned(),
            target_group_arn: group.target_group_arn,
        })
        .collect()
}

/// The whole list with the forward action's weights set, as ModifyListener and ModifyRule want it.
fn weighted(live: &Live, groups: &[GroupWeight]) -> Vec<Action> {
    let mut actions = live.actions.clone();
    for (position, action) in actions.iter_mut().enumerate() {
        // AWS does not give the client secret back, and wants it again unless told to keep it
        // (AuthenticateOidcActionConfig.UseExistingClientSecret).
        if let Some(oidc) = &mut action.authenticate_oidc_config {
            oidc.client_secret = None;
            oidc.use_existing_client_secret = Some(true);
        }
        if position == live.position {
            let stickiness = action
                .forward_config
                .take()
                .and_then(|config| config.target_group_stickiness_config);
            let tuple = |group: &GroupWeight| {
                let weight = i32::try_from(group.weight).unwrap_or(i32::MAX);
                TargetGroupTuple::builder()
                    .target_group_arn(&group.target_group_arn)
                    .weight(weight)
                    .build()
            };
            // TargetGroupArn may stand only beside a ForwardConfig with that one group (Action's reference).
            action.target_group_arn = None;
            action.forward_config = Some(
                ForwardActionConfig::builder()
                    .set_target_groups(Some(groups.iter().map(tuple).collect()))
                    .set_target_group_stickiness_config(stickiness)
                    .build(),
            );
        }
    }
    actions
}

#[cfg(test)]
mod tests;
