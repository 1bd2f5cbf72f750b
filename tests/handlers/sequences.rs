//! Sequences that are kept: each file of `sequences/` is a case as the properties tell it, and no rule breaks in it.
//!
//! They walk the workflow's roads, and the places where a rule could break: calls that come late, replies that are lost,
//! places that are taken. Together they have to meet its states: a rule about what never happens holds emptily.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::definition;
use crate::event::Case;
use crate::properties::outcome;

/// A dry run's state; and ResumeBlueAgain, which needs a server that hears nothing for longer than a client waits.
const UNMET: [&str; 2] = ["Planned", "ResumeBlueAgain"];

#[test]
fn no_kept_sequence_breaks_a_rule_and_together_they_walk_the_workflow() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sequences");
    let mut met = BTreeSet::new();
    for file in fs::read_dir(directory).expect("the sequences") {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a readable file");
        let case: Case = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        match outcome(&case, true) {
            Ok(once) => met.extend(once.into_keys()),
            Err((broken, story)) => {
                panic!("{}: {broken}\n{}", path.display(), story.join("\n"))
            }
        }
    }
    let unmet: Vec<&str> = definition::tasks_and_ends()
        .filter(|state| !met.contains(*state) && !UNMET.contains(state))
        .collect();
    assert!(unmet.is_empty(), "no sequence meets {unmet:?}");
}
