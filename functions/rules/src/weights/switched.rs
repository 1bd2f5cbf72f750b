//! The weights as they were read back, and from when they count.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Moments, Repairs, Spans, Weights};
use crate::observed::Forward;
use crate::plan::Recorded;
use crate::shape::Environment;

/// The weights as they were read back: the answer of `switch-target-group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Switched {
    /// The epoch of the call.
    pub epoch: u64,
    /// The weights of the front's pair, the same at every listener.
    pub weights: Weights,
    /// Every target group that an action of the service's listeners names, by ARN.
    pub groups: Vec<String>,
    /// When the weights were first confirmed, and the moments that count from then.
    #[serde(flatten)]
    pub moments: Moments,
    /// When this call, which confirmed them, began.
    pub confirmed_at: Timestamp,
    /// Whether this call had to change any of them.
    pub changed: bool,
    /// Blue's healthy targets, where it has the fewest.
    pub blue_healthy: u32,
    /// Green's.
    pub green_healthy: u32,
    /// How often somebody else had moved them.
    #[serde(default)]
    pub repairs: Repairs,
}

/// What one call confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmed {
    /// Its epoch.
    pub epoch: u64,
    /// When the call began.
    pub began_at: Timestamp,
    /// When the last action had been read last: a load balancer follows weights from when they were set, which may be long
    /// after the call began.
    pub read_at: Timestamp,
    /// The action of each of the plan's listeners as it was read last.
    pub forwards: Vec<Forward>,
    /// Whether this call had to change any.
    pub changed: bool,
    /// Blue's healthy targets, where it has the fewest.
    pub blue_healthy: u32,
    /// Green's.
    pub green_healthy: u32,
    /// How often somebody else had moved the weights, this time among them.
    pub repairs: Repairs,
}

impl Confirmed {
    /// The answer: its moments are those of `former` while the same call, by epoch, finds or repairs the same weights,
    /// and count anew otherwise. After a repair the load balancer has to settle anew; nothing else moves, or whoever moves
    /// the weights would keep the bake from its end. Nothing is settled before `late`, until when a call of unknown
    /// outcome may arrive.
    pub fn answer(
        self,
        plan: &Recorded,
        former: Option<&Switched>,
        spans: &Spans,
        late: Option<Timestamp>,
    ) -> Switched {
        // What was confirmed is the same everywhere.
        let weight = |of: &Environment| {
            let first = self.forwards.first().zip(of.target_group(0));
            first.map_or(0, |(forward, group)| forward.weight(group))
        };
        let weights = Weights {
            blue: weight(&plan.blue.environment),
            green: weight(&plan.green.environment),
        };
        let kept = former.filter(|it| it.epoch == self.epoch && it.weights == weights);
        let anew = Moments::count(self.read_at, weights, spans);
        let moments = match kept {
            None => anew,
            Some(former) if self.changed => former.moments.settling_by(anew),
            Some(former) => former.moments,
        };
        Switched {
            epoch: self.epoch,
            weights,
            groups: self
                .forwards
                .into_iter()
                .flat_map(|forward| forward.groups)
                .map(|group| group.target_group_arn)
                .collect(),
            moments: moments.not_before(late),
            confirmed_at: self.began_at,
            changed: self.changed,
            blue_healthy: self.blue_healthy,
            green_healthy: self.green_healthy,
            repairs: self.repairs,
        }
    }
}
