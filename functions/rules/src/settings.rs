//! What a stack says: parsed from the settings that the definition hands to PlanDeployment, every error told together.
//!
//! Settings travel, and no function has them from its environment, so that an execution keeps those that it began with. A
//! value is a string as CloudFormation gives it, a list is joined by commas, a key is the parameter's name.

use std::collections::{BTreeMap, BTreeSet};

use crate::input::lists::{are_alarms, gates_named, rise_to_100};
use crate::knobs::{
    APPROVE, BAKE_ALARMS, BAKE_SECONDS, CLOSURES_PER_SECOND, DEADLINE_SECONDS, DETACHED,
    HEALTHY_SECONDS, Knob, MINIMUM_HEALTHY_PERCENT, PASSES_PER_EXECUTION, PAUSE_SECONDS,
    PING_SECONDS, POLL_SECONDS, SETTLE_SECONDS, STEP_SECONDS, TABLE, TRAFFIC_STEPS,
};
use crate::plan::{Gate, Pages, TestForward};
use crate::shape::Environment;

mod service;
mod tests_of_green;

/// What the stack says besides its defaults.
const FIXED: [&str; 12] = [
    "ListenerArn",
    "TargetGroupArns",
    "AutoScalingGroupNames",
    "LaunchTemplateId",
    "InstanceRoleArn",
    "SubnetIds",
    "SigningSecretArn",
    "TestPort",
    "TestPaths",
    "ServiceUrl",
    "TestListenerArns",
    "TestUrls",
];

/// A stack's settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The listeners and listener rules that carry the service's traffic, by ARN: one to ten.
    pub listeners: Vec<String>,
    /// The two to five environments, each with a target group at each of these.
    pub environments: Vec<Environment>,
    /// The launch template, by id or name; none where each Auto Scaling group has its own.
    pub launch_template: Option<String>,
    /// Whether launching may pass a role to the instances.
    pub passes_role: bool,
    /// Where to launch; none: as blue.
    pub subnets: Vec<String>,
    /// The forwards that green is tested through: none, or one for each environment in their order.
    pub tests: Vec<TestForward>,
    /// What a deployment gets unless its input says otherwise.
    pub defaults: Defaults,
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
    /// The gates at which a person is asked.
    pub approve: Vec<Gate>,
    /// How long a pause or a gate may last.
    pub pause_seconds: u32,
    /// How much of blue's healthy count must always be healthy.
    pub minimum_healthy_percent: u32,
    /// How many passes an execution makes before the drain goes on in the next one; no input overrides it.
    pub passes_per_execution: u32,
    /// How often the servers ping a session, which the load balancer's idle time-out must outlast; no input overrides it.
    pub ping_seconds: u32,
    /// The user's checks, which every green server has to pass; no input overrides them.
    pub pages: Pages,
    /// The secret that calls of servers are signed with, by ARN; none: they are not signed. No input overrides it.
    pub signing_secret: Option<String>,
}

impl Settings {
    /// Reads the settings that the definition hands over.
    ///
    /// # Errors
    /// Everything that is wrong with them, one sentence each, beginning with the parameter's name.
    pub fn parse(settings: &BTreeMap<String, String>) -> Result<Self, Vec<String>> {
        let mut reader = Reader {
            settings,
            errors: Vec::new(),
        };
        reader.refuse_unknown();
        let (listeners, environments) = reader.service();
        let tests = reader.tests(environments.len());
        let parsed = Self {
            listeners,
            environments,
            launch_template: reader.launch_template(),
            passes_role: !reader.text("InstanceRoleArn").is_empty(),
            subnets: reader.list("SubnetIds"),
            defaults: reader.defaults(!tests.is_empty()),
            tests,
        };
        if reader.errors.is_empty() {
            Ok(parsed)
        } else {
            Err(reader.errors)
        }
    }
}

/// The stack's listeners, whatever else is wrong with its settings; none where they are wrong themselves.
pub fn listeners(settings: &BTreeMap<String, String>) -> Vec<String> {
    let errors = Vec::new();
    Reader { settings, errors }.listeners()
}

/// Reads one setting after the other and notes what is wrong with them.
struct Reader<'a> {
    settings: &'a BTreeMap<String, String>,
    errors: Vec<String>,
}

impl Reader<'_> {
    /// A key that nobody reads is a definition that fits another version of this function.
    fn refuse_unknown(&mut self) {
        let known: BTreeSet<&str> = TABLE
            .iter()
            .filter_map(|knob| knob.parameter)
            .chain(FIXED)
            .collect();
        let unknown = self.settings.keys();
        for key in unknown.filter(|key| !known.contains(key.as_str())) {
            self.errors.push(format!("{key}: unknown setting"));
        }
    }

    fn defaults(&mut self, tests: bool) -> Defaults {
        let by_kind = ["", "0"].contains(&self.text("SettleSeconds"));
        Defaults {
            healthy_seconds: self.number(&HEALTHY_SECONDS),
            steps: self.steps(&TRAFFIC_STEPS),
            step_seconds: self.number(&STEP_SECONDS),
            bake_seconds: self.number(&BAKE_SECONDS),
            alarms: self.alarms(&BAKE_ALARMS),
            settle_seconds: (!by_kind).then(|| self.number(&SETTLE_SECONDS)),
            closures_per_second: self.number(&CLOSURES_PER_SECOND),
            poll_seconds: self.number(&POLL_SECONDS),
            deadline_seconds: self.number(&DEADLINE_SECONDS),
            detached: self.switch(&DETACHED),
            approve: self.gates(&APPROVE),
            pause_seconds: self.number(&PAUSE_SECONDS),
            minimum_healthy_percent: self.number(&MINIMUM_HEALTHY_PERCENT),
            passes_per_execution: self.number(&PASSES_PER_EXECUTION),
            ping_seconds: self.number(&PING_SECONDS),
            pages: self.pages(tests),
            signing_secret: Some(self.text("SigningSecretArn"))
                .filter(|arn| !arn.is_empty())
                .map(str::to_owned),
        }
    }

    /// Empty where it is not set, as a parameter without a value is.
    fn text(&self, key: &str) -> &str {
        self.settings.get(key).map_or("", |value| value.trim())
    }

    fn wrong(&mut self, key: &str, expected: &str) {
        let got: String = self.text(key).chars().take(60).collect();
        self.errors
            .push(format!("{key}: expected {expected}, got \"{got}\""));
    }

    /// What a knob's setting was expected to be, and is not.
    fn refuse(&mut self, knob: &Knob) {
        self.wrong(knob.parameter.unwrap_or_default(), &knob.expected());
    }

    fn of(&self, knob: &Knob) -> &str {
        self.text(knob.parameter.unwrap_or_default())
    }

    /// Only an Auto Scaling group brings a template of its own.
    fn launch_template(&mut self) -> Option<String> {
        let text = self.text("LaunchTemplateId").to_owned();
        let grouped = !self.text("AutoScalingGroupNames").is_empty();
        if text.is_empty() && !grouped {
            let error = "LaunchTemplateId: it is not set";
            self.errors.push(error.to_owned());
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// Empty items are dropped: a list parameter without items is one empty item.
    fn list(&self, key: &str) -> Vec<String> {
        self.text(key)
            .split(',')
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect()
    }

    fn number(&mut self, knob: &Knob) -> u32 {
        let number = self.of(knob).parse::<u32>().ok();
        number
            .filter(|number| knob.admits(*number))
            .unwrap_or_else(|| {
                self.refuse(knob);
                0
            })
    }

    /// Unset is false.
    fn switch(&mut self, knob: &Knob) -> bool {
        match self.of(knob) {
            "true" => true,
            "" | "false" => false,
            _ => {
                self.refuse(knob);
                false
            }
        }
    }

    fn steps(&mut self, knob: &Knob) -> Vec<u32> {
        let steps: Option<Vec<u32>> = self
            .of(knob)
            .split(',')
            .map(|step| step.trim().parse().ok())
            .collect();
        steps.filter(|steps| rise_to_100(steps)).unwrap_or_else(|| {
            self.refuse(knob);
            vec![100]
        })
    }

    fn gates(&mut self, knob: &Knob) -> Vec<Gate> {
        let names = self.list(knob.parameter.unwrap_or_default());
        gates_named(&names).unwrap_or_else(|| {
            self.refuse(knob);
            Vec::new()
        })
    }

    fn alarms(&mut self, knob: &Knob) -> Vec<String> {
        let names = self.list(knob.parameter.unwrap_or_default());
        if !are_alarms(&names) {
            self.refuse(knob);
        }
        names
    }
}

#[cfg(test)]
mod tests;
