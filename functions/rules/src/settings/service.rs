//! The service's listeners and environments: which target group is whose, by the order of the parameters.

use std::collections::BTreeSet;

use super::Reader;
use crate::shape::Environment;

/// How many environments a service may have: one serves, one is launched, and an ALB's action takes five groups.
const ENVIRONMENTS: std::ops::RangeInclusive<usize> = 2..=5;
/// How many listeners and rules one deployment moves, one after the other within one call of a function.
const LISTENERS: std::ops::RangeInclusive<usize> = 1..=10;

impl Reader<'_> {
    /// The listeners, and the environments with a target group at each of them. `TargetGroupArns` has the groups of the
    /// first listener in the order of the environments, then those of the second in the same order, and so on.
    pub(super) fn service(&mut self) -> (Vec<String>, Vec<Environment>) {
        let listeners = self.listeners();
        let groups = self.target_groups(listeners.len());
        let each = groups.len() / listeners.len().max(1);
        let fleets = self.auto_scaling_groups(each);
        let environment = |at: usize| Environment {
            auto_scaling_group: fleets.get(at).cloned(),
            ..Environment::of(groups.iter().skip(at).step_by(each).cloned().collect())
        };
        let environments = (0..each).map(environment).collect();
        (listeners, environments)
    }

    pub(super) fn listeners(&mut self) -> Vec<String> {
        let listeners = self.list("ListenerArn");
        if !LISTENERS.contains(&listeners.len())
            || !are_different(&listeners)
            || !listeners.iter().all(|arn| forwards(arn))
        {
            self.wrong(
                "ListenerArn",
                "one to ten different ARNs of listeners and listener rules",
            );
            return Vec::new();
        }
        listeners
    }

    /// How many there have to be is said only where it is known how many listeners there are.
    fn target_groups(&mut self, listeners: usize) -> Vec<String> {
        let groups = self.list("TargetGroupArns");
        let each = groups.len().checked_div(listeners);
        let fits = each.is_none_or(|each| {
            ENVIRONMENTS.contains(&each) && groups.len().is_multiple_of(listeners)
        });
        if !fits || !are_different(&groups) {
            let expected = match listeners {
                0 | 1 => "two to five different ARNs".to_owned(),
                several => format!(
                    "two to five different ARNs for each of the {several} listeners, those of the first listener in the \
                     order of the environments, then those of the second, and so on"
                ),
            };
            self.wrong("TargetGroupArns", &expected);
        }
        groups
    }

    fn auto_scaling_groups(&mut self, environments: usize) -> Vec<String> {
        let names = self.list("AutoScalingGroupNames");
        let fits = names.is_empty() || environments == 0 || names.len() == environments;
        if !fits || !are_different(&names) {
            self.wrong(
                "AutoScalingGroupNames",
                "none, or as many different names as there are TargetGroupArns of one listener, in their order",
            );
        }
        names
    }
}

/// Whether an ARN is that of something that forwards.
pub(super) fn forwards(arn: &str) -> bool {
    arn.contains(":listener/") || arn.contains(":listener-rule/")
}

pub(super) fn are_different(names: &[String]) -> bool {
    names.iter().collect::<BTreeSet<_>>().len() == names.len()
}
