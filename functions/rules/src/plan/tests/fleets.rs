//! Auto Scaling groups in every colour: how large green gets, and what keeps a group from being green's or blue's.

use super::*;
use crate::plan::{FleetFault, GroupLaunch};
use crate::scaling::Sizes;

const SERVING: Sizes = Sizes {
    min: 2,
    max: 9,
    desired: 3,
};

fn fleet(name: &str, sizes: Sizes) -> Fleet {
    Fleet {
        name: format!("fleet-{name}"),
        sizes,
        members: sizes.desired as usize,
        target_groups: vec![arn(name)],
        template: Some("lt-1".to_owned()),
        is_tagged: true,
        versions: vec!["6".to_owned()],
        protects_new: true,
        ..Fleet::default()
    }
}

/// Blue's group serves, green's is parked, and each has a template.
fn fleets() -> Observation {
    let mut seen = ready();
    for environment in &mut seen.environments {
        let letter = environment.name.replace("tunnel-", "fleet-");
        environment.auto_scaling_group = Some(letter);
    }
    seen.hazards.fleets = vec![fleet("a", SERVING)];
    seen.hazards.green_fleet = Some(fleet("b", Sizes::PARKED));
    seen.configured_template = None;
    seen
}

fn green(seen: &mut Observation) -> &mut Fleet {
    seen.hazards.green_fleet.as_mut().unwrap()
}

fn blue(seen: &mut Observation) -> &mut Fleet {
    &mut seen.hazards.fleets[0]
}

fn count(count: u32) -> Input {
    Input {
        count: Some(count),
        ..Input::default()
    }
}

fn sizes(min: u32, max: u32, desired: u32) -> Sizes {
    Sizes { min, max, desired }
}

#[test]
fn green_gets_the_sizes_that_blue_has_and_its_own_template() {
    let decision = plan(&fleets(), &Input::default()).unwrap();
    let launch = GroupLaunch {
        sizes: SERVING,
        version_before: "6".to_owned(),
    };
    assert_eq!(decision.green.group, Some(launch));
    assert_eq!((decision.green.count, decision.green.subnets.len()), (3, 0));
    assert_eq!(
        decision.green.environment.auto_scaling_group.as_deref(),
        Some("fleet-b")
    );
    assert_eq!(decision.warnings, Vec::<String>::new());
}

#[test]
fn a_count_changes_no_more_of_the_sizes_than_it_must() {
    let of =
        |seen: &Observation, input: &Input| plan(seen, input).unwrap().green.group.unwrap().sizes;
    assert_eq!(of(&fleets(), &count(4)), sizes(2, 9, 4));
    assert_eq!(of(&fleets(), &count(12)), sizes(2, 12, 12));
    let mut few = count(1);
    few.minimum_healthy_percent = Some(1);
    assert_eq!(of(&fleets(), &few), sizes(1, 9, 1));
    // Protected members beyond the desired capacity serve as well.
    let mut surplus = fleets();
    blue(&mut surplus).sizes = sizes(1, 2, 1);
    assert_eq!(of(&surplus, &Input::default()), sizes(1, 3, 3));
}

#[test]
fn plain_instances_move_into_groups_by_a_deployment() {
    let mut seen = fleets();
    *blue(&mut seen) = Fleet {
        versions: vec!["$Latest".to_owned()],
        ..fleet("a", Sizes::PARKED)
    };
    let decision = plan(&seen, &Input::default()).unwrap();
    assert_eq!(decision.green.group.unwrap().sizes, sizes(3, 3, 3));
}

#[test]
fn each_group_that_cannot_be_greens_is_refused() {
    type Spoil = fn(&mut Observation);
    let cases: Vec<(Spoil, &str)> = vec![
        (
            |seen| green(seen).is_missing = true,
            "fleet-b does not exist",
        ),
        (
            |seen| green(seen).target_groups = vec!["arn:/tunnel-a".to_owned()],
            "is not attached to arn:/tunnel-b",
        ),
        (
            |seen| green(seen).sizes.max = 1,
            "has sizes 0/1/0 and 0 members: park it",
        ),
        (
            |seen| green(seen).members = 1,
            "has sizes 0/0/0 and 1 members",
        ),
        (
            |seen| green(seen).template = None,
            "launches from a launch configuration",
        ),
        (
            |seen| seen.configured_template = Some("lt-2".to_owned()),
            "launches from template lt-1 and not from the stack's",
        ),
        (
            |seen| green(seen).has_other_templates = true,
            "templates of their own",
        ),
        (|seen| green(seen).is_warm = true, "has a warm pool"),
        (
            |seen| green(seen).suspended = vec!["Launch".to_owned()],
            "has Launch suspended",
        ),
        (
            |seen| green(seen).suspended = vec!["AddToLoadBalancer".to_owned()],
            "has AddToLoadBalancer suspended",
        ),
        (
            |seen| green(seen).is_tagged = false,
            "fleet-b does not carry the tag",
        ),
        (
            |seen| green(seen).refresh = Some("InProgress".to_owned()),
            "fleet-b has an instance refresh",
        ),
        (
            |seen| green(seen).is_weighted = true,
            "fleet-b has sizes that do not count servers",
        ),
        (
            |seen| blue(seen).is_weighted = true,
            "fleet-a has sizes that do not count servers",
        ),
        (
            |seen| blue(seen).standby = vec!["i-9".to_owned()],
            "fleet-a has members on standby, which a drain would wait for like for the others: put them into service \
             (ExitStandby) or end them: i-9",
        ),
        (
            |seen| {
                let blue = blue(seen);
                (blue.sizes, blue.members) = (Sizes::PARKED, 0);
                blue.is_tagged = false;
            },
            "fleet-a does not carry the tag",
        ),
        (
            |seen| green(seen).retains = true,
            "fleet-b keeps a server whose termination hook",
        ),
        (
            |seen| blue(seen).is_missing = true,
            "fleet-a does not exist",
        ),
        (
            |seen| blue(seen).target_groups = Vec::new(),
            "fleet-a is not attached to arn:/tunnel-a",
        ),
        (
            |seen| blue(seen).versions = vec!["$Latest".to_owned()],
            "fleet-a launches from version $Latest",
        ),
    ];
    for (spoil, words) in cases {
        let mut seen = fleets();
        spoil(&mut seen);
        let [refusal] = &refusals(&seen)[..] else {
            panic!("not one refusal: {words}: {:?}", refusals(&seen));
        };
        assert!(refusal.to_string().contains(words), "{refusal}");
    }
}

#[test]
fn a_parked_group_on_the_newest_version_is_pinned_by_its_launch() {
    let mut seen = fleets();
    green(&mut seen).versions = vec!["$Latest".to_owned()];
    let launch = plan(&seen, &Input::default()).unwrap().green.group.unwrap();
    assert_eq!(launch.version_before, "$Latest");
}

#[test]
fn what_only_run_instances_refuses_of_a_template_stops_no_group() {
    let mut seen = fleets();
    let faults = [
        TemplateFault::Interfaces,
        TemplateFault::Requirements,
        TemplateFault::Protects,
    ];
    version(&mut seen).faults = faults.into();
    assert!(plan(&seen, &Input::default()).is_ok());
    version(&mut seen).faults = vec![TemplateFault::NoType];
    assert!(plan(&seen, &Input::default()).is_err());
    green(&mut seen).names_types = true;
    assert!(plan(&seen, &Input::default()).is_ok());
    version(&mut seen).faults = vec![TemplateFault::NoImage];
    assert!(plan(&seen, &Input::default()).is_err());
}

#[test]
fn a_group_with_nothing_wrong_names_no_fault() {
    assert_eq!(
        fleet("b", Sizes::PARKED).faults_of_green(&environment("b"), Some("lt-1")),
        Vec::<FleetFault>::new()
    );
}
