//! A stack's defaults: parsed from the function's variables at its start, every error told together.
//!
//! Owns the bounds of every number, which an execution's input obeys as well.

use crate::input::lists::{ALARMS, STEPS, are_alarms, rise_to_100};

/// The whole numbers that a setting may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub least: u32,
    /// The most.
    pub most: u32,
}

/// The most instances an environment may have: more would not fit a Step Functions document.
pub const MOST_INSTANCES: u32 = 500;
/// `green.count`.
pub const COUNT: Bounds = Bounds {
    least: 1,
    most: MOST_INSTANCES,
};
/// `green.healthySeconds`.
pub const HEALTHY_SECONDS: Bounds = Bounds {
    least: 10,
    most: 7200,
};
/// `traffic.stepSeconds`.
pub const STEP_SECONDS: Bounds = Bounds {
    least: 0,
    most: 86_400,
};
/// `bake.seconds`; at most the seven days after which CodePipeline gives up on an execution.
pub const BAKE_SECONDS: Bounds = Bounds {
    least: 0,
    most: 604_800,
};
/// `drain.settleSeconds`.
pub const SETTLE_SECONDS: Bounds = Bounds {
    least: 1,
    most: 3600,
};
/// `drain.closuresPerSecond`.
pub const CLOSURES_PER_SECOND: Bounds = Bounds {
    least: 1,
    most: 10_000,
};
/// `drain.pollSeconds`.
pub const POLL_SECONDS: Bounds = Bounds {
    least: 2,
    most: 300,
};
/// `drain.deadlineSeconds`; at most the fourteen days within which an execution can be redriven.
pub const DEADLINE_SECONDS: Bounds = Bounds {
    least: 10,
    most: 1_209_600,
};
/// `minimumHealthyPercent`; none would let a group without healthy targets carry weight.
pub const MINIMUM_HEALTHY_PERCENT: Bounds = Bounds {
    least: 1,
    most: 100,
};

/// How many passes an execution makes before the drain goes on in the next one. The most is what a history of 25,000
/// events has room for: a pass costs 35 to 40 by AWS's counting, the way to the first one and retries some more.
pub const PASSES_PER_EXECUTION: Bounds = Bounds {
    least: 5,
    most: 500,
};
/// How often the servers ping a session; the longest idle time-out there is, an NLB's, is 6000 s.
pub const PING_SECONDS: Bounds = Bounds {
    least: 1,
    most: 5999,
};

impl Bounds {
    /// Whether `number` is within.
    pub fn admit(self, number: u32) -> bool {
        (self.least..=self.most).contains(&number)
    }

    /// What was expected, in words.
    pub fn expected(self) -> String {
        format!("a whole number from {} to {}", self.least, self.most)
    }
}

/// What a deployment gets unless its input says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Defaults {
    /// How long green may take to become healthy, from its newest launch.
    pub healthy_seconds: u32,
    /// Green's share of the traffic, step by step.
    pub steps: Vec<u32>,
    /// How long each step but the last one lasts.
    pub step_seconds: u32,
    /// How long both environments run after the switch.
    pub bake_seconds: u32,
    /// The alarms that are watched until the bake is over.
    pub alarms: Vec<String>,
    /// How long after the switch neither drain order nor seal is given; none: by the load balancer's kind.
    pub settle_seconds: Option<u32>,
    /// How many idle sessions are closed per second, in the whole environment.
    pub closures_per_second: u32,
    /// The longest wait between two passes while baking.
    pub poll_seconds: u32,
    /// When the drain fails with an alert, counted from the switch.
    pub deadline_seconds: u32,
    /// Whether the execution ends with the bake and the drain goes on in another one.
    pub detached: bool,
    /// How much of blue's healthy count must always be healthy.
    pub minimum_healthy_percent: u32,
    /// How many passes an execution makes before the drain goes on in the next one; no input overrides it.
    pub passes_per_execution: u32,
    /// How often the servers ping a session, which the load balancer's idle time-out must outlast; no input overrides it.
    pub ping_seconds: u32,
}

impl Defaults {
    /// Parses the stack's defaults; `read` answers a variable's value, or nothing when it is unset.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn parse(read: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut variables = Variables {
            read,
            errors: Vec::new(),
        };
        let by_kind = ["", "0"].contains(&variables.text("EBBTIDE_SETTLE_SECONDS").as_str());
        let settle_seconds =
            (!by_kind).then(|| variables.number("EBBTIDE_SETTLE_SECONDS", SETTLE_SECONDS));
        let defaults = Self {
            healthy_seconds: variables.number("EBBTIDE_HEALTHY_SECONDS", HEALTHY_SECONDS),
            steps: variables.steps("EBBTIDE_TRAFFIC_STEPS"),
            step_seconds: variables.number("EBBTIDE_STEP_SECONDS", STEP_SECONDS),
            bake_seconds: variables.number("EBBTIDE_BAKE_SECONDS", BAKE_SECONDS),
            alarms: variables.alarms("EBBTIDE_BAKE_ALARMS"),
            settle_seconds,
            closures_per_second: variables
                .number("EBBTIDE_CLOSURES_PER_SECOND", CLOSURES_PER_SECOND),
            poll_seconds: variables.number("EBBTIDE_POLL_SECONDS", POLL_SECONDS),
            deadline_seconds: variables.number("EBBTIDE_DEADLINE_SECONDS", DEADLINE_SECONDS),
            detached: variables.boolean("EBBTIDE_DRAIN_DETACHED"),
            minimum_healthy_percent: variables
                .number("EBBTIDE_MINIMUM_HEALTHY_PERCENT", MINIMUM_HEALTHY_PERCENT),
            passes_per_execution: variables
                .number("EBBTIDE_PASSES_PER_EXECUTION", PASSES_PER_EXECUTION),
            ping_seconds: variables.number("EBBTIDE_PING_SECONDS", PING_SECONDS),
        };
        if variables.errors.is_empty() {
            Ok(defaults)
        } else {
            Err(variables.errors)
        }
    }
}

/// Reads one variable after the other and notes what is wrong with them.
struct Variables<F> {
    read: F,
    errors: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn text(&self, name: &str) -> String {
        (self.read)(name).unwrap_or_default().trim().to_owned()
    }

    fn wrong(&mut self, name: &str, expected: &str) {
        let got = self.text(name);
        self.errors
            .push(format!("{name}: expected {expected}, got \"{got}\""));
    }

    fn number(&mut self, name: &str, bounds: Bounds) -> u32 {
        match self.text(name).parse::<u32>() {
            Ok(number) if bounds.admit(number) => number,
            _ => {
                self.wrong(name, &bounds.expected());
                bounds.least
            }
        }
    }

    /// Unset is false.
    fn boolean(&mut self, name: &str) -> bool {
        match self.text(name).as_str() {
            "true" => true,
            "" | "false" => false,
            _ => {
                self.wrong(name, "true or false");
                false
            }
        }
    }

    fn steps(&mut self, name: &str) -> Vec<u32> {
        let text = self.text(name);
        let steps: Option<Vec<u32>> = text
            .split(',')
            .map(|step| step.trim().parse().ok())
            .collect();
        steps.filter(|steps| rise_to_100(steps)).unwrap_or_else(|| {
            self.wrong(name, STEPS);
            vec![100]
        })
    }

    /// Empty items are dropped: a list parameter without items is one empty item.
    fn alarms(&mut self, name: &str) -> Vec<String> {
        let names: Vec<String> = self
            .text(name)
            .split(',')
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect();
        if !are_alarms(&names) {
            self.wrong(name, ALARMS);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(name: &str) -> Option<&'static str> {
        Some(match name {
            "EBBTIDE_HEALTHY_SECONDS" => "600",
            "EBBTIDE_TRAFFIC_STEPS" => "100",
            "EBBTIDE_STEP_SECONDS" => "60",
            "EBBTIDE_BAKE_SECONDS" => "900",
            "EBBTIDE_PASSES_PER_EXECUTION" => "400",
            "EBBTIDE_PING_SECONDS" => "30",
            "EBBTIDE_CLOSURES_PER_SECOND" => "20",
            "EBBTIDE_POLL_SECONDS" => "30",
            "EBBTIDE_DEADLINE_SECONDS" => "86400",
            "EBBTIDE_MINIMUM_HEALTHY_PERCENT" => "100",
            _ => return None,
        })
    }

    #[test]
    fn an_unset_or_zero_settle_time_goes_by_the_load_balancer() {
        let defaults = Defaults::parse(|name| variables(name).map(str::to_owned)).unwrap();
        assert_eq!(defaults.settle_seconds, None);
        let with = |settle: &'static str| {
            Defaults::parse(move |name| {
                if name == "EBBTIDE_SETTLE_SECONDS" {
                    Some(settle.to_owned())
                } else {
                    variables(name).map(str::to_owned)
                }
            })
        };
        assert_eq!(with("0").unwrap().settle_seconds, None);
        assert_eq!(with("2").unwrap().settle_seconds, Some(2));
        assert!(with("-1").is_err());
    }

    #[test]
    fn lists_and_switches_are_read() {
        let defaults = Defaults::parse(|name| match name {
            "EBBTIDE_TRAFFIC_STEPS" => Some("10, 50,100".to_owned()),
            "EBBTIDE_BAKE_ALARMS" => Some("errors, latency".to_owned()),
            "EBBTIDE_DRAIN_DETACHED" => Some("true".to_owned()),
            _ => variables(name).map(str::to_owned),
        })
        .unwrap();
        assert_eq!(defaults.steps, [10, 50, 100]);
        assert_eq!(defaults.alarms, ["errors", "latency"]);
        assert!(defaults.detached);
        let plain = Defaults::parse(|name| variables(name).map(str::to_owned)).unwrap();
        assert_eq!((plain.steps, plain.alarms), (vec![100], Vec::new()));
        assert!(!plain.detached);
    }

    #[test]
    fn every_error_is_told_together() {
        let errors = Defaults::parse(|name| match name {
            "EBBTIDE_TRAFFIC_STEPS" => Some("50,10,100".to_owned()),
            "EBBTIDE_BAKE_ALARMS" => Some("errors,errors".to_owned()),
            "EBBTIDE_DRAIN_DETACHED" => Some("maybe".to_owned()),
            "EBBTIDE_PASSES_PER_EXECUTION" => Some("601".to_owned()),
            "EBBTIDE_POLL_SECONDS" => Some("soon".to_owned()),
            "EBBTIDE_MINIMUM_HEALTHY_PERCENT" => Some("0".to_owned()),
            _ => variables(name).map(str::to_owned),
        })
        .unwrap_err();
        assert_eq!(
            errors,
            [
                "EBBTIDE_TRAFFIC_STEPS: expected a list of rising whole numbers from 1 to 100, the last of them 100, got \"50,10,100\"",
                "EBBTIDE_BAKE_ALARMS: expected a list of at most 30 alarms' names, each of 1 to 255 characters and named once, got \"errors,errors\"",
                "EBBTIDE_POLL_SECONDS: expected a whole number from 2 to 300, got \"soon\"",
                "EBBTIDE_DRAIN_DETACHED: expected true or false, got \"maybe\"",
                "EBBTIDE_MINIMUM_HEALTHY_PERCENT: expected a whole number from 1 to 100, got \"0\"",
                "EBBTIDE_PASSES_PER_EXECUTION: expected a whole number from 5 to 500, got \"601\"",
            ]
        );
    }
    proptest::proptest! {
        #[test]
        fn whatever_a_variable_holds_it_is_read_or_refused_by_its_name(
            wrong in proptest::sample::select(vec![
                "EBBTIDE_HEALTHY_SECONDS", "EBBTIDE_TRAFFIC_STEPS", "EBBTIDE_STEP_SECONDS", "EBBTIDE_BAKE_SECONDS",
                "EBBTIDE_BAKE_ALARMS", "EBBTIDE_SETTLE_SECONDS", "EBBTIDE_POLL_SECONDS", "EBBTIDE_DRAIN_DETACHED",
            ]),
            value in proptest::prop_oneof![crate::arbitrary_json::any_text(), "-?[0-9]{1,20}(,[0-9]{1,3}){0,3}"],
        ) {
            let parsed = Defaults::parse(|name| if name == wrong {
                Some(value.clone())
            } else {
                variables(name).map(str::to_owned)
            });
            if let Err(errors) = parsed {
                proptest::prop_assert_eq!(errors.len(), 1);
                let named = format!("{wrong}: expected ");
                proptest::prop_assert!(errors[0].starts_with(&named), "{}", errors[0]);
            }
        }
    }
}
