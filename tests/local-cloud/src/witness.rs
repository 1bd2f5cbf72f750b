//! A witness: looks at EC2 and ELB while a deployment runs, and remembers the worst that it saw.
//!
//! Of what [`crate::observation`] publishes it judges nothing; a scenario asserts on what it says. The forward actions it
//! holds against the record at every look, by itself: see [`action`].

mod action;

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cloud::LocalCloud;
use crate::error::{Error, Result};
use crate::observation::{Instance, Observation};

const DEPLOYMENT_TAG: &str = "ebbtide:deployment";

/// What was seen from the start to the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Testimony {
    /// How many different observations.
    pub observations: usize,
    /// The fewest healthy targets that a listener or rule had in groups with weight, all such groups of it together; `None`
    /// if nothing was observed.
    pub fewest_with_weight: Option<usize>,
    /// For each group, the fewest healthy targets that it had while it had weight.
    pub fewest: BTreeMap<String, usize>,
    /// The weights of all listeners and rules, each time they were others than before.
    pub weights: Vec<BTreeMap<String, u32>>,
    /// What a forward action was and must never be: a group that nobody answers for, weight on one that drains, other
    /// weights than another one's.
    pub wrong: BTreeSet<String>,
    /// How often the forward actions were held against the record.
    pub looks: usize,
    /// For each deployment that instances were tagged with, the most that ran at once.
    pub most_running: BTreeMap<String, usize>,
}

/// Looks until it is asked.
#[derive(Debug)]
pub struct Witness {
    looking: JoinHandle<Testimony>,
    judging: JoinHandle<action::Judged>,
    stop: CancellationToken,
}

impl Witness {
    /// Ends the looking and says what was seen.
    ///
    /// # Errors
    /// If the looking broke off.
    pub async fn testimony(self) -> Result<Testimony> {
        self.stop.cancel();
        let broke_off = |error| Error::Missing(format!("the witness broke off: {error}"));
        let judged = self.judging.await.map_err(broke_off)?;
        let mut testimony = self.looking.await.map_err(broke_off)?;
        testimony.wrong = judged.wrong;
        testimony.looks = judged.looks;
        Ok(testimony)
    }
}

impl LocalCloud {
    /// A witness of what happens from now on.
    pub fn witness(&self) -> Witness {
        let stop = CancellationToken::new();
        let judge = action::Judge {
            clients: self.clients().clone(),
            forwards: self.world().forwards(),
            ledger: self.ledger(),
        };
        Witness {
            looking: tokio::spawn(look(self.observed(), stop.clone())),
            judging: tokio::spawn(judge.until(stop.clone())),
            stop,
        }
    }

    /// The running instances that a deployment has tagged as its own, none of `deployments`: nobody will end them.
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn strays(&self, deployments: &[&str]) -> Result<Vec<Instance>> {
        let mut instances = self.instances().await?;
        instances.retain(|instance| {
            instance.is_up()
                && deployment(instance).is_some_and(|tagged| !deployments.contains(&tagged))
        });
        Ok(instances)
    }
}

impl Testimony {
    fn add(&mut self, seen: &Observation) {
        self.observations += 1;
        let serving = seen.forwarding.iter().filter(|group| group.weight > 0);
        let each = seen.forwarding.iter().map(|group| (group.of.as_str(), 0));
        let mut together: BTreeMap<&str, usize> = each.collect();
        for group in serving {
            let healthy = group.healthy.len();
            *together.entry(&group.of).or_default() += healthy;
            let fewest = self.fewest.entry(group.group.clone()).or_insert(healthy);
            *fewest = (*fewest).min(healthy);
        }
        let fewest = self.fewest_with_weight.into_iter();
        self.fewest_with_weight = fewest.chain(together.into_values()).min();
        let weights = seen.forwarding.iter();
        let weights: BTreeMap<_, _> = weights
            .map(|group| (group.group.clone(), group.weight))
            .collect();
        if self.weights.last() != Some(&weights) {
            self.weights.push(weights);
        }
        let up = seen.instances.iter().filter(|instance| instance.is_up());
        let tagged: Vec<&str> = up.filter_map(deployment).collect();
        for of in tagged.iter().collect::<BTreeSet<_>>() {
            let running = tagged.iter().filter(|other| *other == of).count();
            let most = self.most_running.entry((*of).to_owned()).or_default();
            *most = (*most).max(running);
        }
    }
}

async fn look(mut observed: watch::Receiver<Observation>, stop: CancellationToken) -> Testimony {
    let mut testimony = Testimony::default();
    loop {
        let seen = observed.borrow_and_update().clone();
        if !seen.forwarding.is_empty() {
            testimony.add(&seen);
        }
        match stop.run_until_cancelled(observed.changed()).await {
            Some(Ok(())) => {}
            _ => return testimony,
        }
    }
}

fn deployment(instance: &Instance) -> Option<&str> {
    instance.tags.get(DEPLOYMENT_TAG).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Forwarding;
    use std::net::Ipv4Addr;

    /// Groups `a` and `b` are one forward's, `a-2` and `b-2` another one's.
    fn seen(groups: &[(&str, u32, usize)], tagged: &[&str]) -> Observation {
        let instance = |tag: &&str| Instance {
            id: format!("i-{tag}"),
            ip: Ipv4Addr::LOCALHOST,
            state: "running".to_owned(),
            tags: BTreeMap::from([(DEPLOYMENT_TAG.to_owned(), (*tag).to_owned())]),
        };
        let forwarding = |(group, weight, healthy): &(&str, u32, usize)| Forwarding {
            of: format!("of-{}", group.trim_start_matches(['a', 'b'])),
            group: (*group).to_owned(),
            weight: *weight,
            healthy: (0..*healthy).map(|index| format!("i-{index}")).collect(),
            health: BTreeMap::new(),
        };
        Observation {
            instances: tagged.iter().map(instance).collect(),
            forwarding: groups.iter().map(forwarding).collect(),
        }
    }

    #[test]
    fn it_remembers_the_worst_of_what_had_weight() {
        let mut testimony = Testimony::default();
        testimony.add(&seen(&[("a", 100, 3), ("b", 0, 0)], &[]));
        testimony.add(&seen(&[("a", 50, 2), ("b", 50, 3)], &["x", "x"]));
        testimony.add(&seen(&[("a", 0, 0), ("b", 100, 3)], &["x"]));
        assert_eq!(testimony.fewest_with_weight, Some(3));
        assert_eq!(
            testimony.fewest,
            BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 3)])
        );
        assert_eq!(testimony.weights.len(), 3);
        // Of two forwards, the worse one counts.
        testimony.add(&seen(&[("b", 100, 3), ("a-2", 0, 3), ("b-2", 100, 1)], &[]));
        assert_eq!(testimony.fewest_with_weight, Some(1));
        assert_eq!(
            testimony.most_running,
            BTreeMap::from([("x".to_owned(), 2)])
        );
    }
}
