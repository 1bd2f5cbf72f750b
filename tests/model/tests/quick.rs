//! The quick configurations hold, and every broken variant is caught: what `make test` has time for.

use ebbtide_model::configurations::QUICK;
use ebbtide_model::proof::{catch, explore};
use ebbtide_model::variants::BROKEN;

#[test]
fn the_shipped_rules_hold_within_the_quick_bounds() {
    for model in QUICK.iter() {
        let explored = explore(model, 2);
        assert_eq!(explored.violated, Vec::new(), "{}", model.name);
        assert_eq!(explored.never, Vec::<&str>::new(), "{}", model.name);
    }
}

#[test]
fn every_broken_variant_is_caught() {
    for broken in &BROKEN {
        let caught = catch(broken, 2);
        assert!(caught.is_some(), "{} was not caught", broken.name);
    }
}
