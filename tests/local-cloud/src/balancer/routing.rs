//! Where the next request or connection goes: a group by weight, then its healthy targets in turn.
//!
//! Owns the moment at which new weights are followed, asked of the clock at every choice: a task that wakes up late on a
//! busy machine changes nothing about it. As on ELB, a group that is chosen by its weight and has no healthy target
//! answers 503: no other group takes over
//! (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rule-action-types.html).
//! Unlike ELB it never fails open: an unhealthy target gets nothing, so that a test sees it.

use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// A target group as the balancer knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Group {
    /// Its ARN.
    pub arn: String,
    /// Its weight in the listener.
    pub weight: u32,
    /// Its healthy targets.
    pub targets: Vec<SocketAddrV4>,
}

/// Weights by target group, in the listener's order.
type Weights = Vec<(String, u32)>;

/// Chooses targets.
#[derive(Debug)]
pub(super) struct Routes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How long weights of before hold after a change, for every request.
    follows_after: Duration,
    /// And for every other request after that.
    lag: Duration,
    /// As they were told last: their targets are followed at once, their weights later.
    groups: Vec<Group>,
    /// The weights gone by.
    weights: Weights,
    turns: Turns,
    /// Part of the balancer still goes by the weights of before.
    before: Option<Before>,
    /// Weights that were told and are not followed yet, oldest first.
    coming: VecDeque<Change>,
    chosen: usize,
}

#[derive(Debug)]
struct Before {
    weights: Weights,
    turns: Turns,
    until: Instant,
}

#[derive(Debug)]
struct Change {
    weights: Weights,
    at: Instant,
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
    /// Knows no target yet.
    pub(super) fn new(follows_after: Duration) -> Self {
        Self(Mutex::new(State {
            follows_after,
            ..State::default()
        }))
    }

    /// From now on, weights count this long after they changed, also those that were told before.
    pub(super) fn follow_after(&self, delay: Duration) {
        self.state().follows_after = delay;
    }

    /// From the next change of weights on, every other request follows it this much later.
    pub(super) fn lag(&self, lag: Duration) {
        self.state().lag = lag;
    }

    /// The groups are these, since `at`. Targets count from now on; weights when they are due, the first at once.
    pub(super) fn told(&self, groups: Vec<Group>, at: Instant) {
        let mut state = self.state();
        let weights = weights_of(&groups);
        let last = state.coming.back().map(|change| &change.weights);
        if *last.unwrap_or(&state.weights) != weights {
            if state.weights.is_empty() {
                state.weights = weights;
            } else {
                state.coming.push_back(Change { weights, at });
            }
        }
        state.groups = groups;
        state.arrange();
    }

    /// The target for the next request; `None` if the group whose turn it is has no healthy one.
    pub(super) fn next(&self, now: Instant) -> Option<SocketAddrV4> {
        let mut state = self.state();
        state.advance(now);
        state.chosen = state.chosen.wrapping_add(1);
        let odd = !state.chosen.is_multiple_of(2);
        match &mut state.before {
            Some(before) if odd => before.turns.next(),
            _ => state.turns.next(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Follows what is due.
    fn advance(&mut self, now: Instant) {
        let mut changed = false;
        let due = |change: &Change| change.at + self.follows_after;
        while let Some(change) = self.coming.pop_front_if(|change| due(change) <= now) {
            self.before = Some(Before {
                until: due(&change) + self.lag,
                weights: std::mem::replace(&mut self.weights, change.weights),
                turns: Turns::default(),
            });
            changed = true;
        }
        self.before.take_if(|before| before.until <= now);
        if changed {
            self.arrange();
        }
    }

    fn arrange(&mut self) {
        self.turns.set(weighted(&self.groups, &self.weights));
        if let Some(before) = &mut self.before {
            before.turns.set(weighted(&self.groups, &before.weights));
        }
    }
}

/// The groups with these weights; 0 for a group that is not among them.
fn weighted(groups: &[Group], weights: &Weights) -> Vec<Group> {
    let weight = |group: &Group| {
        let known = weights.iter().find(|(arn, _)| *arn == group.arn);
        known.map_or(0, |(_, weight)| *weight)
    };
    groups
        .iter()
        .map(|group| Group {
            weight: weight(group),
            ..group.clone()
        })
        .collect()
}

fn weights_of(groups: &[Group]) -> Weights {
    groups
        .iter()
        .map(|group| (group.arn.clone(), group.weight))
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

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

    const A: [&str; 1] = ["127.0.0.1:1"];
    const B: [&str; 1] = ["127.0.0.2:1"];

    fn groups(a: u32, b: u32) -> Vec<Group> {
        vec![group("a", a, &A), group("b", b, &B)]
    }

    /// How many of ten choices at this moment are `b`'s.
    fn of_b(routes: &Routes, now: Instant) -> usize {
        share(routes, now, 10, B[0])
    }

    fn share(routes: &Routes, now: Instant, of: usize, target: &str) -> usize {
        let target = target.parse().unwrap();
        (0..of).filter(|_| routes.next(now) == Some(target)).count()
    }

    #[test]
    fn weights_divide_the_requests() {
        let (routes, now) = (Routes::new(Duration::ZERO), Instant::now());
        routes.told(groups(90, 10), now);
        assert_eq!(share(&routes, now, 100, B[0]), 10);
    }

    #[test]
    fn weight_zero_gets_nothing() {
        let (routes, now) = (Routes::new(Duration::ZERO), Instant::now());
        assert_eq!(routes.next(now), None);
        routes.told(groups(0, 1), now);
        assert_eq!(of_b(&routes, now), 10);
        routes.told(vec![group("a", 0, &A)], now);
        assert_eq!(routes.next(now), None);
    }

    #[test]
    fn weights_are_followed_after_their_delay_and_no_later() {
        let (routes, now) = (Routes::new(SECOND * 5), Instant::now());
        // The first are followed at once: there is nothing else to go by.
        routes.told(groups(100, 0), now);
        assert_eq!(of_b(&routes, now), 0);
        routes.told(groups(0, 100), now + SECOND);
        assert_eq!(
            of_b(&routes, now + SECOND * 6 - Duration::from_millis(1)),
            0
        );
        assert_eq!(of_b(&routes, now + SECOND * 6), 10);
    }

    #[test]
    fn weights_that_are_held_back_are_followed_when_the_test_says_so() {
        let (routes, now) = (Routes::new(SECOND * 3600), Instant::now());
        routes.told(groups(100, 0), now);
        routes.told(groups(0, 100), now);
        assert_eq!(of_b(&routes, now + SECOND), 0);
        routes.follow_after(Duration::ZERO);
        assert_eq!(of_b(&routes, now + SECOND), 10);
    }

    #[test]
    fn each_change_has_a_delay_of_its_own() {
        let (routes, now) = (Routes::new(SECOND * 5), Instant::now());
        routes.told(groups(100, 0), now);
        routes.told(groups(50, 50), now + SECOND);
        routes.told(groups(0, 100), now + SECOND * 3);
        // Told again: nothing new.
        routes.told(groups(0, 100), now + SECOND * 4);
        let seen = [5, 6, 7, 8, 9].map(|second| of_b(&routes, now + SECOND * second));
        assert_eq!(seen, [0, 5, 5, 10, 10]);
    }

    #[test]
    fn weights_that_were_told_late_are_followed_on_time() {
        let (routes, now) = (Routes::new(SECOND * 5), Instant::now());
        routes.told(groups(100, 0), now);
        // They have been so for seven seconds: they should have been followed two seconds ago.
        routes.told(groups(0, 100), now);
        assert_eq!(of_b(&routes, now + SECOND * 7), 10);
    }

    #[test]
    fn every_other_choice_goes_by_the_weights_of_before_while_the_balancer_lags() {
        let (routes, now) = (Routes::new(SECOND), Instant::now());
        routes.lag(SECOND * 3);
        routes.told(groups(100, 0), now);
        routes.told(groups(0, 100), now);
        let seen = [0, 1, 3, 4].map(|second| of_b(&routes, now + SECOND * second));
        assert_eq!(seen, [0, 5, 5, 10]);
    }

    #[test]
    fn targets_count_at_once() {
        let (routes, now) = (Routes::new(SECOND * 5), Instant::now());
        routes.told(groups(100, 0), now);
        routes.told(vec![group("a", 0, &[]), group("b", 100, &B)], now);
        assert_eq!(routes.next(now), None);
        assert_eq!(of_b(&routes, now + SECOND * 5), 10);
    }

    #[test]
    fn a_group_serves_its_targets_in_turn_through_updates() {
        let (routes, now) = (Routes::new(Duration::ZERO), Instant::now());
        let targets = ["127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"];
        let mut seen = Vec::new();
        for _ in 0..6 {
            routes.told(vec![group("a", 100, &targets)], now);
            seen.push(routes.next(now).unwrap().to_string());
        }
        assert_eq!(seen, [targets, targets].concat());
    }

    #[test]
    fn a_group_without_healthy_targets_is_not_replaced_by_the_other() {
        let (routes, now) = (Routes::new(Duration::ZERO), Instant::now());
        let groups = vec![group("a", 1, &[]), group("b", 1, &B)];
        routes.told(groups, now);
        let refused = (0..10).filter(|_| routes.next(now).is_none());
        assert_eq!(refused.count(), 5);
    }
}
