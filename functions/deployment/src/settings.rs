//! A stack's defaults: parsed from the function's variables at its start, every error told together.
//!
//! Owns the bounds of every number, which an execution's input obeys as well.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Defaults {
    /// How long green may take to become healthy, from its newest launch.
    pub healthy_seconds: u32,
    /// How long both environments run after the switch.
    pub bake_seconds: u32,
    /// How long after the switch neither drain order nor seal is given; none: by the load balancer's kind.
    pub settle_seconds: Option<u32>,
    /// How many idle sessions are closed per second, in the whole environment.
    pub closures_per_second: u32,
    /// The longest wait between two passes while baking.
    pub poll_seconds: u32,
    /// When the drain fails with an alert, counted from the switch.
    pub deadline_seconds: u32,
    /// How much of blue's healthy count must always be healthy.
    pub minimum_healthy_percent: u32,
}

impl Defaults {
    /// Parses the stack's defaults; `read` answers a variable's value, or nothing when it is unset.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn parse(read: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let mut number = |name: &str, bounds: Bounds| {
            let text = read(name).unwrap_or_default();
            match text.trim().parse::<u32>() {
                Ok(number) if bounds.admit(number) => number,
                _ => {
                    errors.push(format!(
                        "{name}: expected {}, got \"{text}\"",
                        bounds.expected()
                    ));
                    bounds.least
                }
            }
        };
        let by_kind =
            ["", "0"].contains(&read("EBBTIDE_SETTLE_SECONDS").unwrap_or_default().trim());
        let defaults = Self {
            healthy_seconds: number("EBBTIDE_HEALTHY_SECONDS", HEALTHY_SECONDS),
            bake_seconds: number("EBBTIDE_BAKE_SECONDS", BAKE_SECONDS),
            settle_seconds: (!by_kind).then(|| number("EBBTIDE_SETTLE_SECONDS", SETTLE_SECONDS)),
            closures_per_second: number("EBBTIDE_CLOSURES_PER_SECOND", CLOSURES_PER_SECOND),
            poll_seconds: number("EBBTIDE_POLL_SECONDS", POLL_SECONDS),
            deadline_seconds: number("EBBTIDE_DEADLINE_SECONDS", DEADLINE_SECONDS),
            minimum_healthy_percent: number(
                "EBBTIDE_MINIMUM_HEALTHY_PERCENT",
                MINIMUM_HEALTHY_PERCENT,
            ),
        };
        if errors.is_empty() {
            Ok(defaults)
        } else {
            Err(errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(name: &str) -> Option<&'static str> {
        Some(match name {
            "EBBTIDE_HEALTHY_SECONDS" => "600",
            "EBBTIDE_BAKE_SECONDS" => "900",
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
    fn every_error_is_told_together() {
        let errors = Defaults::parse(|name| match name {
            "EBBTIDE_POLL_SECONDS" => Some("soon".to_owned()),
            "EBBTIDE_MINIMUM_HEALTHY_PERCENT" => Some("0".to_owned()),
            _ => variables(name).map(str::to_owned),
        })
        .unwrap_err();
        assert_eq!(
            errors,
            [
                "EBBTIDE_POLL_SECONDS: expected a whole number from 2 to 300, got \"soon\"",
                "EBBTIDE_MINIMUM_HEALTHY_PERCENT: expected a whole number from 1 to 100, got \"0\"",
            ]
        );
    }
}
