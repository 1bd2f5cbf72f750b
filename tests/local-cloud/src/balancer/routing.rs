//! Where the next request or connection goes: a group by weight, then its healthy targets in turn.
//!
//! Pure but for its counters. As on ELB, a group that is chosen by its weight and has no healthy target answers 503: no
//! other group takes over (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rule-action-types.html).
//! Unlike ELB it never fails open: an unhealthy target gets nothing, so that a test sees it.

use std::net::SocketAddrV4;
use std::sync::{Mutex, PoisonError};

/// A target group as the balancer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its ARN.
    pub arn: String,
    /// Its weight in the listener.
    pub weight: u32,
    /// Its healthy targets.
    pub targets: Vec<SocketAddrV4>,
}

/// Chooses targets.
#[derive(Debug, Default)]
pub struct Routes {
    groups: Mutex<Vec<Turn>>,
}

#[derive(Debug)]
struct Turn {
    group: Group,
    /// Smooth weighted round robin: grows by the weight each time, and falls by the sum of weights when chosen.
    credit: i64,
    next: usize,
}

impl Routes {
    /// Replaces the groups. Whoever's turn it was keeps it.
    pub fn set(&self, groups: Vec<Group>) {
        let mut turns = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *turns);
        *turns = groups
            .into_iter()
            .map(|group| {
                let known = before
                    .iter()
                    .find(|turn| turn.group.arn == group.arn && turn.group.weight == group.weight);
                let (credit, next) = known.map_or((0, 0), |turn| (turn.credit, turn.next));
                Turn {
                    group,
                    credit,
                    next,
                }
            })
            .collect();
    }

    /// The target for the next request; `None` if the group whose turn it is has no healthy one.
    pub fn next(&self) -> Option<SocketAddrV4> {
        let mut turns = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let total: i64 = turns.iter().map(|turn| i64::from(turn.group.weight)).sum();
        for turn in turns.iter_mut() {
            turn.credit += i64::from(turn.group.weight);
        }
        let chosen = turns
            .iter_mut()
            .filter(|turn| turn.group.weight > 0)
            .max_by_key(|turn| turn.credit)?;
        chosen.credit -= total;
        let target = chosen
            .group
            .targets
            .get(chosen.next % chosen.group.targets.len().max(1))
            .copied();
        chosen.next = chosen.next.wrapping_add(1);
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(arn: &str, weight: u32, targets: &[&str]) -> Group {
        Group {
            arn: arn.to_owned(),
            weight,
            targets: targets
                .iter()
                .map(|target| target.parse().unwrap())
                .collect(),
        }
    }

    fn share(routes: &Routes, of: usize, target: &str) -> usize {
        let target = target.parse().unwrap();
        (0..of).filter(|_| routes.next() == Some(target)).count()
    }

    #[test]
    fn weights_divide_the_requests() {
        let routes = Routes::default();
        routes.set(vec![
            group("a", 90, &["127.0.0.1:1"]),
            group("b", 10, &["127.0.0.2:1"]),
        ]);
        assert_eq!(share(&routes, 100, "127.0.0.2:1"), 10);
    }

    #[test]
    fn weight_zero_gets_nothing() {
        let routes = Routes::default();
        routes.set(vec![
            group("a", 0, &["127.0.0.1:1"]),
            group("b", 1, &["127.0.0.2:1"]),
        ]);
        assert_eq!(share(&routes, 50, "127.0.0.2:1"), 50);
        routes.set(vec![group("a", 0, &["127.0.0.1:1"])]);
        assert_eq!(routes.next(), None);
    }

    #[test]
    fn a_group_serves_its_targets_in_turn_through_updates() {
        let routes = Routes::default();
        let targets = ["127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"];
        let mut seen = Vec::new();
        for _ in 0..6 {
            routes.set(vec![group("a", 100, &targets)]);
            seen.push(routes.next().unwrap().to_string());
        }
        assert_eq!(seen, [targets, targets].concat());
    }

    #[test]
    fn a_group_without_healthy_targets_is_not_replaced_by_the_other() {
        let routes = Routes::default();
        routes.set(vec![group("a", 1, &[]), group("b", 1, &["127.0.0.2:1"])]);
        assert_eq!((0..10).filter(|_| routes.next().is_none()).count(), 5);
    }
}
