//! The stages of an execution, as a person would name them.
//!
//! Owns which state opens which stage. Pure: called by [`super::report`] and [`super::progress`].

use super::observe::{Execution, Millis};

/// A stretch of the execution that a person would name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    /// The state that gave it its name, `LaunchGreen` say, or `Drain` for the loop that empties blue.
    pub name: &'static str,
    /// When it was entered.
    pub from: Millis,
    /// When the next began, or the execution ended.
    pub to: Millis,
}

/// States that open a stage, in the workflow's order. Waits, questions and bookkeeping belong to the stage they are in.
const STAGES: [(&str, &str); 15] = [
    ("PlanDeployment", "PlanDeployment"),
    ("ClaimService", "ClaimService"),
    ("AttachGreen", "AttachGreen"),
    ("LaunchGreen", "LaunchGreen"),
    ("TestGreen", "TestGreen"),
    ("RecordSwitch", "SwitchTargetGroup"),
    ("SwitchTargetGroup", "SwitchTargetGroup"),
    ("DrainIdle", "Drain"),
    ("CheckDrained", "Drain"),
    ("TerminateBlue", "Drain"),
    ("ResumeBlue", "RollBack"),
    ("EndGreen", "RejectGreen"),
    ("ReleaseService", "ReleaseService"),
    ("DetachRetired", "ReleaseService"),
    ("ReleaseFront", "ReleaseService"),
];

fn rank(state: &str) -> Option<usize> {
    STAGES.iter().position(|(name, _)| *name == state)
}

/// The execution's stages, in order. Stages only go forward: a state that an earlier stage began with stays part of the
/// stage it comes back in.
pub(super) fn stages(execution: &Execution, ended_at: Millis) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut furthest = None;
    for (at, state) in &execution.entered {
        let Some(rank) = rank(state) else { continue };
        if furthest.is_some_and(|furthest| rank <= furthest) {
            continue;
        }
        furthest = Some(rank);
        let name = STAGES[rank].1;
        if stages.last().is_some_and(|last| last.name == name) {
            continue;
        }
        if let Some(last) = stages.last_mut() {
            last.to = *at;
        }
        stages.push(Stage {
            name,
            from: *at,
            to: *at,
        });
    }
    if let Some(last) = stages.last_mut() {
        last.to = execution.ended_at.unwrap_or(ended_at).max(last.from);
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_go_forward_only_and_a_state_that_comes_back_stays_in_the_stage_it_is_in() {
        let entered = [
            (0, "PlanDeployment"),
            (100, "ClaimService"),
            (200, "WhatIsClaimed"),
            (300, "LaunchGreen"),
            (900, "LaunchGreen"),
            (950, "RecordSwitch"),
            (1_000, "SwitchTargetGroup"),
            (1_500, "DrainIdle"),
            (1_600, "SwitchTargetGroup"),
            (1_700, "DrainIdle"),
            (1_800, "CheckDrained"),
            (9_000, "ReleaseService"),
            (9_100, "Promoted"),
        ];
        let execution = Execution {
            entered: entered
                .iter()
                .map(|(at, name)| (*at, (*name).to_owned()))
                .collect(),
            ended_at: Some(9_200),
            ..Execution::default()
        };
        let named: Vec<_> = stages(&execution, 0)
            .into_iter()
            .map(|stage| (stage.name, stage.from, stage.to))
            .collect();
        assert_eq!(
            named,
            [
                ("PlanDeployment", 0, 100),
                ("ClaimService", 100, 300),
                ("LaunchGreen", 300, 950),
                ("SwitchTargetGroup", 950, 1_500),
                ("Drain", 1_500, 9_000),
                ("ReleaseService", 9_000, 9_200),
            ]
        );
    }
}
