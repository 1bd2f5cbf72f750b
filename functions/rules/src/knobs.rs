//! Every default that a deployment can be given: one table for the input, the stack's settings, the README and the template.
//!
//! Owns the bounds of every number and the words for what was expected. `input` reads a knob by its path, `settings` by its
//! parameter; `tests/knobs.rs` holds README.md and template.yaml to [`TABLE`].

/// One thing that a deployment can be told, by its execution's input, by its stack, or by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knob {
    /// The field of the input; none where no input overrides the stack.
    pub path: Option<&'static str>,
    /// The stack's parameter, which is the setting's key too; none where the stack says nothing.
    pub parameter: Option<&'static str>,
    /// What it takes.
    pub takes: Takes,
    /// The parameter's default, as the template spells it.
    pub default: &'static str,
    /// The default as the README shows it.
    pub shown: &'static str,
    /// What it is, as the README says it.
    pub what: &'static str,
}

/// What a knob takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A whole number from the first to the second.
    Number(u32, u32),
    /// The same; as a setting 0 stands for what the load balancer's kind demands.
    NumberOrByKind(u32, u32),
    /// True or false.
    Switch,
    /// Shares of the traffic.
    Steps,
    /// Names of alarms.
    Alarms,
    /// Gates at which a person is asked.
    Gates,
    /// A launch template's version.
    Version,
}

/// What steps must be, in words.
const STEPS: &str = "a list of rising whole numbers from 1 to 100, the last of them 100";
/// What alarms must be, in words.
const ALARMS: &str =
    "a list of at most 100 alarms' names, each of 1 to 255 characters and named once";
/// What gates must be, in words.
const GATES: &str = "a list of \"switch\" and \"seal\", each named once";
/// The most instances an environment may have: more would not fit a Step Functions document.
pub const MOST_INSTANCES: u32 = 500;
/// The most that a server's WebSockets may take together.
pub const MOST_WEB_SOCKET_SECONDS: u32 = 30;

impl Knob {
    /// Whether `number` is within its bounds.
    pub fn admits(&self, number: u32) -> bool {
        match self.takes {
            Takes::Number(least, most) | Takes::NumberOrByKind(least, most) => {
                (least..=most).contains(&number)
            }
            _ => false,
        }
    }

    /// What was expected, in words.
    pub fn expected(&self) -> String {
        match self.takes {
            Takes::Number(least, most) | Takes::NumberOrByKind(least, most) => {
                format!("a whole number from {least} to {most}")
            }
            Takes::Switch => "true or false".to_owned(),
            Takes::Steps => STEPS.to_owned(),
            Takes::Alarms => ALARMS.to_owned(),
            Takes::Gates => GATES.to_owned(),
            Takes::Version => "\"$Latest\", \"$Default\" or a version's number".to_owned(),
        }
    }
}

/// `green.launchTemplateVersion`.
pub const VERSION: Knob = Knob {
    path: Some("green.launchTemplateVersion"),
    parameter: None,
    takes: Takes::Version,
    default: "",
    shown: "`$Latest`",
    what: "resolved to a number at the plan",
};
/// `green.count`.
pub const COUNT: Knob = Knob {
    path: Some("green.count"),
    parameter: None,
    takes: Takes::Number(1, MOST_INSTANCES),
    default: "",
    shown: "blue's healthy count",
    what: "",
};
/// `green.healthySeconds`.
pub const HEALTHY_SECONDS: Knob = Knob {
    path: Some("green.healthySeconds"),
    parameter: Some("HealthySeconds"),
    takes: Takes::Number(10, 7200),
    default: "600",
    shown: "600",
    what: "from the newest launch until all targets are healthy",
};
/// `traffic.steps`.
pub const TRAFFIC_STEPS: Knob = Knob {
    path: Some("traffic.steps"),
    parameter: Some("TrafficSteps"),
    takes: Takes::Steps,
    default: "100",
    shown: "`[100]`",
    what: "green's share in percent: rising, the last is 100",
};
/// `traffic.stepSeconds`.
pub const STEP_SECONDS: Knob = Knob {
    path: Some("traffic.stepSeconds"),
    parameter: Some("StepSeconds"),
    takes: Takes::Number(0, 86_400),
    default: "60",
    shown: "60",
    what: "how long each step but the last one lasts",
};
/// `bake.seconds`; at most the seven days after which CodePipeline gives up on an execution.
pub const BAKE_SECONDS: Knob = Knob {
    path: Some("bake.seconds"),
    parameter: Some("BakeSeconds"),
    takes: Takes::Number(0, 604_800),
    default: "900",
    shown: "900",
    what: "both environments run, nothing is sealed",
};
/// `bake.alarms`; one DescribeAlarms call takes at most 100 names (its reference, `AlarmNames`).
pub const BAKE_ALARMS: Knob = Knob {
    path: Some("bake.alarms"),
    parameter: Some("BakeAlarms"),
    takes: Takes::Alarms,
    default: "",
    shown: "`[]`",
    what: "CloudWatch alarms, at most 100: one in alarm before the bake's end rolls back",
};
/// `drain.settleSeconds`.
pub const SETTLE_SECONDS: Knob = Knob {
    path: Some("drain.settleSeconds"),
    parameter: Some("SettleSeconds"),
    takes: Takes::NumberOrByKind(1, 3600),
    default: "0",
    shown: "ALB 30, NLB 180",
    what: "no drain order and no seal before",
};
/// `drain.closuresPerSecond`.
pub const CLOSURES_PER_SECOND: Knob = Knob {
    path: Some("drain.closuresPerSecond"),
    parameter: Some("ClosuresPerSecond"),
    takes: Takes::Number(1, 10_000),
    default: "20",
    shown: "20",
    what: "idle sessions asked to move, whole environment",
};
/// `drain.pollSeconds`.
pub const POLL_SECONDS: Knob = Knob {
    path: Some("drain.pollSeconds"),
    parameter: Some("PollSeconds"),
    takes: Takes::Number(2, 300),
    default: "30",
    shown: "30",
    what: "longest wait between passes while baking",
};
/// `drain.deadlineSeconds`; at most the fourteen days within which an execution can be redriven.
pub const DEADLINE_SECONDS: Knob = Knob {
    path: Some("drain.deadlineSeconds"),
    parameter: Some("DeadlineSeconds"),
    takes: Takes::Number(10, 1_209_600),
    default: "86400",
    shown: "86400",
    what: "after it the execution fails, nothing is cut; a redrive grants it anew",
};
/// `drain.detached`.
pub const DETACHED: Knob = Knob {
    path: Some("drain.detached"),
    parameter: Some("DrainDetached"),
    takes: Takes::Switch,
    default: "false",
    shown: "false",
    what: "the execution ends with the bake, the drain goes on in another one",
};
/// `approve`.
pub const APPROVE: Knob = Knob {
    path: Some("approve"),
    parameter: Some("Approve"),
    takes: Takes::Gates,
    default: "",
    shown: "`[]`",
    what: "gates, `switch` and `seal`: there it waits until a person says `resume`",
};
/// `pauseSeconds`; the most is what the loop before the switch has room for in one history, two redrives included.
pub const PAUSE_SECONDS: Knob = Knob {
    path: Some("pauseSeconds"),
    parameter: Some("PauseSeconds"),
    takes: Takes::Number(10, 86_400),
    default: "14400",
    shown: "14400",
    what: "how long a pause or a gate may last: after it the execution fails, nothing moves; a redrive grants it anew",
};
/// `minimumHealthyPercent`; none would let a group without healthy targets carry weight.
pub const MINIMUM_HEALTHY_PERCENT: Knob = Knob {
    path: Some("minimumHealthyPercent"),
    parameter: Some("MinimumHealthyPercent"),
    takes: Takes::Number(1, 100),
    default: "100",
    shown: "100",
    what: "of blue's healthy count",
};
/// `dryRun`.
pub const DRY_RUN: Knob = Knob {
    path: Some("dryRun"),
    parameter: None,
    takes: Takes::Switch,
    default: "",
    shown: "false",
    what: "plan and preflight only",
};
/// The most is what a history of 25,000 events has room for: a pass costs 33 by AWS's counting (the definition's tests
/// count them), the way to the first one and retries some more.
pub const PASSES_PER_EXECUTION: Knob = Knob {
    path: None,
    parameter: Some("PassesPerExecution"),
    takes: Takes::Number(5, 500),
    default: "400",
    shown: "400",
    what: "passes after which a drain continues in a new execution; steps and bake must fit into one",
};
/// The longest idle time-out there is, an NLB's, is 6000 s.
pub const PING_SECONDS: Knob = Knob {
    path: None,
    parameter: Some("PingSeconds"),
    takes: Takes::Number(1, 5999),
    default: "30",
    shown: "30",
    what: "how often your servers ping a session; the load balancer's idle time-out must be longer",
};
/// The most is for all WebSockets of `TestPaths` together: a function runs for 60 s, and for no longer, because whoever takes
/// another's place waits that out.
pub const TEST_WEB_SOCKET_SECONDS: Knob = Knob {
    path: None,
    parameter: Some("TestWebSocketSeconds"),
    takes: Takes::Number(1, MOST_WEB_SOCKET_SECONDS),
    default: "5",
    shown: "5",
    what: "how long each WebSocket of `TestPaths` has to stay open; at most 30 for all of them together",
};

/// Every knob, in the README's order.
pub const TABLE: [Knob; 19] = [
    VERSION,
    COUNT,
    HEALTHY_SECONDS,
    TRAFFIC_STEPS,
    STEP_SECONDS,
    BAKE_SECONDS,
    BAKE_ALARMS,
    SETTLE_SECONDS,
    CLOSURES_PER_SECOND,
    POLL_SECONDS,
    DEADLINE_SECONDS,
    DETACHED,
    APPROVE,
    PAUSE_SECONDS,
    MINIMUM_HEALTHY_PERCENT,
    DRY_RUN,
    PASSES_PER_EXECUTION,
    PING_SECONDS,
    TEST_WEB_SOCKET_SECONDS,
];

/// The fields that the input knows in `section`; of the whole input when it is empty, sections among them.
pub fn fields(section: &str) -> Vec<&'static str> {
    let mut fields: Vec<&str> = Vec::new();
    for path in TABLE.iter().filter_map(|knob| knob.path) {
        let field = match path.split_once('.') {
            Some((parent, field)) if parent == section => field,
            Some((parent, _)) if section.is_empty() => parent,
            None if section.is_empty() => path,
            _ => continue,
        };
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_knows_its_own_fields_and_the_input_its_sections_once() {
        assert_eq!(fields("bake"), ["seconds", "alarms"]);
        assert_eq!(fields("traffic"), ["steps", "stepSeconds"]);
        assert_eq!(
            fields(""),
            [
                "green",
                "traffic",
                "bake",
                "drain",
                "approve",
                "pauseSeconds",
                "minimumHealthyPercent",
                "dryRun"
            ]
        );
        assert_eq!(fields("minimumHealthyPercent"), [""; 0]);
    }

    #[test]
    fn both_ends_of_a_range_are_within_it_and_what_is_no_number_admits_none() {
        for knob in TABLE {
            match knob.takes {
                Takes::Number(least, most) | Takes::NumberOrByKind(least, most) => {
                    assert!(knob.admits(least) && knob.admits(most), "{knob:?}");
                    assert!(!knob.admits(most + 1), "{knob:?}");
                    assert!(least == 0 || !knob.admits(least - 1), "{knob:?}");
                    let words = format!("from {least} to {most}");
                    assert!(knob.expected().ends_with(&words), "{knob:?}");
                }
                Takes::Switch | Takes::Steps | Takes::Alarms | Takes::Gates | Takes::Version => {
                    assert!(!knob.admits(1), "{knob:?}");
                    assert!(!knob.expected().is_empty(), "{knob:?}");
                }
            }
        }
    }
}
