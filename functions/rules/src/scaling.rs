//! Auto Scaling groups as AWS showed them: their sizes, what is suspended in them, and their members.
//!
//! The AWS edge fills these in; rules read them. A group is *parked* while nothing is to run in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The lifecycle hook by which a group that is being emptied ends nobody by itself. An apply of Terraform's resumes
/// suspended processes and leaves this alone.
pub const HOLD_HOOK: &str = "ebbtide-hold";

/// How many instances a group has at the least, at the most, and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sizes {
    /// At the least.
    pub min: u32,
    /// At the most.
    pub max: u32,
    /// How many it keeps now.
    pub desired: u32,
}

impl Sizes {
    /// Of a group in which nothing runs, and nothing can.
    pub const PARKED: Self = Self {
        min: 0,
        max: 0,
        desired: 0,
    };
}

impl std::fmt::Display for Sizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.min, self.max, self.desired)
    }
}

/// One Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScalingGroup {
    /// Its name.
    pub name: String,
    /// The processes that are suspended already.
    pub suspended: Vec<String>,
    /// Its sizes.
    pub sizes: Sizes,
    /// How many members it counts as those that it keeps, in an environment or not.
    pub counted: u32,
    /// The version of its launch template, as it names it: a number, `$Latest` or `$Default`. Empty where it has none.
    pub version: String,
    /// Whether [`HOLD_HOOK`] is on it; known of an environment's own group only.
    pub holds_ends: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its members: all of an environment's own group, of another one those that belong to the environment.
    pub members: Vec<ScalingMember>,
}

impl ScalingGroup {
    /// Whether nothing can run in it, and nothing does.
    pub fn is_parked(&self) -> bool {
        self.sizes == Sizes::PARKED && self.members.is_empty()
    }

    /// Whether this instance is a member.
    pub fn has(&self, instance: &str) -> bool {
        self.members.iter().any(|it| it.instance == instance)
    }
}

/// An instance in an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingMember {
    /// The instance's id.
    pub instance: String,
    /// Whether scale-in spares it.
    pub protected: bool,
    /// Its lifecycle state in AWS's words, like `InService` or `Terminating:Wait`.
    pub lifecycle: String,
}

impl ScalingMember {
    /// Whether protection can be ordered; one member in any other state fails the call for all that it names.
    /// Source: the error of SetInstanceProtection, "not in InService or EnteringStandby or Standby".
    pub fn is_protectable(&self) -> bool {
        ["InService", "EnteringStandby", "Standby"].contains(&self.lifecycle.as_str())
    }

    /// Whether the group is ending it already, though EC2 may call it running: a lifecycle hook or the load balancer's
    /// deregistration delay holds up the end, while the desired capacity is lowered at once.
    pub fn is_terminating(&self) -> bool {
        // In a warm pool the same states have a prefix.
        let state = self.lifecycle.strip_prefix("Warmed:");
        let state = state.unwrap_or(&self.lifecycle);
        state.starts_with("Terminating") || state == "Terminated"
    }

    /// Whether it is on its way out of the group, alive: what becomes of it is not the group's to say any more.
    pub fn is_detaching(&self) -> bool {
        self.lifecycle == "Detaching"
    }

    /// Whether it has left the group, alive.
    pub fn is_detached(&self) -> bool {
        self.lifecycle == "Detached"
    }

    /// Whether the group's desired capacity counts it: not on standby, not in the warm pool, not on its way out.
    pub fn is_counted(&self) -> bool {
        let apart = ["Standby", "Warmed:"];
        !self.is_leaving() && !apart.iter().any(|it| self.lifecycle.starts_with(it))
    }

    /// Whether a lifecycle hook holds up its end.
    pub fn is_held_up(&self) -> bool {
        self.lifecycle.ends_with("Terminating:Wait")
    }

    /// Whether a lifecycle hook holds up its end, or will in a moment: AWS deregisters it first, which takes the
    /// deregistration delay, and calls it `Terminating` for so long.
    pub fn will_be_held_up(&self) -> bool {
        self.is_held_up() || self.lifecycle.ends_with("Terminating")
    }

    /// Whether it is on its way out of the group, or has left it.
    pub fn is_leaving(&self) -> bool {
        self.is_terminating() || self.is_detaching() || self.is_detached()
    }
}
