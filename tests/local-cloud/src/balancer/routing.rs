//! Where the next request or connection goes: a group by weight, then its healthy targets in turn.
//!
//! Pure but for its counters. As on ELB, a group that is chosen by its weight and has no healthy target answers 503: no
//! other group takes over (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rule-action-types.html).
//! Unlike ELB it never fails open: an unhealthy target gets nothing, so that a test sees it.

use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    groups: Mutex<Turns>,
    /// The groups with their weights of before, while part of the balancer still goes by them.
    before: Mutex<Turns>,
    chosen: AtomicUsize,
}

/// Groups that take turns.
#[derive(Debug, Default)]
struct Turns(Vec<Turn>);

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
        locked(&self.groups).set(groups);
    }

    /// Replaces the groups that every other choice is made of; empty: none is.
    pub fn set_before(&self, groups: Vec<Group>) {
        locked(&self.before).set(groups);
    }

    /// The target for the next request; `None` if the group whose turn it is has no healthy one.
    pub fn next(&self) -> Option<SocketAddrV4> {
        let mut before = locked(&self.before);
        if !before.0.is_empty()
            && self
                .chosen
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(2)
        {
            return before.next();
        }
        drop(before);
        locked(&self.groups).next()
    }
}

impl Turns {
    fn set(&mut self, groups: Vec<Group>) {
        let before = std::mem::take(&mut self.0);
        self.0 = groups
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

    fn next(&mut self) -> Option<SocketAddrV4> {
        let total: i64 = self.0.iter().map(|turn| i64::from(turn.group.weight)).sum();
        for turn in &mut self.0 {
            turn.credit += i64::from(turn.group.weight);
        }
        let chosen = self
            .0
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

fn locked(turns: &Mutex<Turns>) -> MutexGuard<'_, Turns> {
    turns.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn every_other_choice_goes_by_the_weights_of_before_while_there_are_any() {
        let routes = Routes::default();
        let (a, b) = (["127.0.0.1:1"], ["127.0.0.2:1"]);
        routes.set(vec![group("a", 0, &a), group("b", 100, &b)]);
        routes.set_before(vec![group("a", 100, &a), group("b", 0, &b)]);
        assert_eq!(share(&routes, 10, "127.0.0.1:1"), 5);
        routes.set_before(Vec::new());
        assert_eq!(share(&routes, 10, "127.0.0.1:1"), 0);
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
