//! The quick configurations hold, and every broken variant is caught: what `make test` has time for.

use ebbtide_model::agent;
use ebbtide_model::checked::Checked;
use ebbtide_model::configurations::{QUICK, of_broken};
use ebbtide_model::proof::{catch, explore};
use ebbtide_model::variants::BROKEN;

fn holds(model: &impl Checked) {
    let explored = explore(model, 2);
    assert_eq!(explored.violated, Vec::new(), "{}", model.name());
    assert_eq!(explored.never, Vec::<&str>::new(), "{}", model.name());
}

fn is_caught(model: &impl Checked, promise: &str) {
    let caught = catch(model, promise, 2);
    assert!(caught.is_some(), "{}: {promise}", model.name());
}

#[test]
fn the_shipped_rules_hold_within_the_quick_bounds() {
    QUICK.iter().for_each(holds);
}

#[test]
fn the_shipped_agent_holds_within_the_quick_bounds() {
    agent::configurations::QUICK.iter().for_each(holds);
}

#[test]
fn every_broken_variant_is_caught() {
    for broken in &BROKEN {
        is_caught(&of_broken(broken), broken.violates.name());
    }
}

#[test]
fn every_broken_agent_is_caught() {
    for broken in &agent::variants::BROKEN {
        is_caught(&broken.configuration(), broken.violates);
    }
}

#[test]
fn the_servers_of_the_deployments_do_not_follow_an_agent_whose_seal_is_wrong() {
    use agent::properties::{LAPSES, Rule};
    let seals = [LAPSES, Rule::SealedTakesNobody.name()];
    for broken in agent::variants::BROKEN {
        if seals.contains(&broken.violates) && broken.variant != agent::variants::Variant::DropLasts
        {
            is_caught(&broken.configuration(), Rule::Followed.name());
        }
    }
}
