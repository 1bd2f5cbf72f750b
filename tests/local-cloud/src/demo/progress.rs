//! One line a second that says where the deployment is: the stage, and for each environment its sessions and its
//! servers' admission.
//!
//! Owns the words of that line. On a terminal the lines are drawn over each other; elsewhere one is printed whenever
//! something changed, so that a log reads as a story.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use super::observe::{Environment, Millis, Observation};
use super::report::seconds;
use super::stages;

/// Draws or prints progress.
#[derive(Debug)]
pub(super) struct Progress {
    on_terminal: bool,
    drawn: bool,
    last: String,
}

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    stage: String,
    blue: String,
    green: String,
}

impl Progress {
    /// Progress on standard output.
    pub(super) fn new() -> Self {
        Self {
            on_terminal: std::io::stdout().is_terminal(),
            drawn: false,
            last: String::new(),
        }
    }

    /// Shows the state at this time.
    pub(super) fn show(&mut self, at: Millis, state: &State) {
        let at = seconds(at);
        let State { stage, blue, green } = state;
        let mut out = std::io::stdout().lock();
        // Progress is a convenience: a closed pipe must not end the demo.
        if self.on_terminal {
            let up = if self.drawn { "\x1b[3A" } else { "" };
            let _ = write!(
                out,
                "{up}\x1b[2K{at:6.1} s  {stage}\n\x1b[2K  blue    {blue}\n\x1b[2K  green   {green}\n"
            );
            self.drawn = true;
        } else {
            let line = format!("{stage:<18} | blue {blue} | green {green}");
            if line != self.last {
                let _ = writeln!(out, "{at:6.1} s  {line}");
                self.last = line;
            }
        }
        let _ = out.flush();
    }

    /// Says something that stays on the screen.
    pub(super) fn say(&mut self, text: &str) {
        self.drawn = false;
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// The state to show, from what was seen so far.
pub(super) fn state(seen: &Observation) -> State {
    State {
        stage: stage(seen),
        blue: environment(seen, Environment::Blue),
        green: environment(seen, Environment::Green),
    }
}

/// The stage the execution is in, or what comes before and after it.
pub(super) fn stage(seen: &Observation) -> String {
    let execution = &seen.execution;
    if execution.ended_at.is_some() {
        return execution.status.clone();
    }
    if execution.arn.is_empty() {
        return "before the start".to_owned();
    }
    stages::stages(execution, seen.ended_at)
        .last()
        .map_or("starting", |stage| stage.name)
        .to_owned()
}

fn environment(seen: &Observation, environment: Environment) -> String {
    let servers: Vec<&String> = seen
        .servers
        .iter()
        .filter(|(_, server)| server.environment == environment)
        .map(|(instance, _)| instance)
        .collect();
    if servers.is_empty() {
        return "–".to_owned();
    }
    let mut admissions: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut busy, mut idle) = (0, 0);
    for instance in servers {
        let gone = seen
            .servers
            .get(instance)
            .is_some_and(|server| server.terminated_at.is_some());
        let last = seen
            .samples
            .iter()
            .rev()
            .find(|sample| sample.instance == *instance);
        let admission = match last.and_then(|sample| sample.counts.as_ref()) {
            _ if gone => "gone",
            None if last.is_none() => "starting",
            Some(counts) => {
                busy += counts.busy;
                idle += counts.idle;
                counts.admission.as_str()
            }
            None => "silent",
        };
        *admissions.entry(admission).or_default() += 1;
    }
    let mut text = format!("{busy:>3} busy {idle:>3} idle ");
    for (admission, servers) in admissions {
        let _ = write!(text, " {servers} {admission}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::observe::{Counts, Execution, Sample, Server};
    use super::*;

    #[test]
    fn a_state_tells_the_stage_and_each_environments_latest_reports() {
        let mut seen = Observation::default();
        for (instance, terminated_at) in [
            ("i-1", None),
            ("i-2", None),
            ("i-3", Some(5)),
            ("i-4", None),
        ] {
            seen.servers.insert(
                instance.into(),
                Server {
                    environment: Environment::Blue,
                    terminated_at,
                },
            );
        }
        for (instance, admission, busy) in [
            ("i-1", "open", 9),
            ("i-1", "draining", 2),
            ("i-2", "draining", 3),
        ] {
            let counts = Counts {
                admission: admission.into(),
                busy,
                idle: 10,
                closed: 0,
            };
            seen.samples.push(Sample {
                at: 1,
                instance: instance.into(),
                counts: Some(counts),
            });
        }
        for (instance, counts) in [("i-3", None), ("i-4", None)] {
            let instance = instance.into();
            seen.samples.push(Sample {
                at: 2,
                instance,
                counts,
            });
        }
        seen.servers.insert(
            "i-5".into(),
            Server {
                environment: Environment::Blue,
                terminated_at: None,
            },
        );
        let entered = vec![(0, "LaunchGreen".to_owned())];
        seen.execution = Execution {
            arn: "arn".into(),
            entered,
            ..Execution::default()
        };
        let state = state(&seen);
        assert_eq!(state.stage, "LaunchGreen");
        assert_eq!(
            state.blue,
            "  5 busy  20 idle  2 draining 1 gone 1 silent 1 starting"
        );
        assert_eq!(state.green, "–");
    }

    #[test]
    fn the_stage_says_how_the_execution_ended() {
        let mut seen = Observation::default();
        assert_eq!(stage(&seen), "before the start");
        seen.execution = Execution {
            arn: "arn".into(),
            ..Execution::default()
        };
        assert_eq!(stage(&seen), "starting");
        seen.execution.status = "SUCCEEDED".into();
        seen.execution.ended_at = Some(1);
        assert_eq!(stage(&seen), "SUCCEEDED");
    }
}
