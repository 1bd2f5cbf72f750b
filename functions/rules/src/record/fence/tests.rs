//! Who may do what, phase by phase: the whole table.

use super::*;
use crate::examples::{
    EPOCH, another, entry, environment, front, owner, record, recorded, rolling_back, superseding,
};

/// Blue and green are the front's, `old` retires for another deployment, `third` is free.
fn of(phase: Phase) -> Record {
    let plan = recorded(
        &environment("blue"),
        &environment("green"),
        &[environment("old"), environment("third")],
    );
    let retiring = vec![entry(&environment("old"), another(), plan.clone())];
    record(Some(front(plan, phase)), retiring)
}

fn fence(owner: &Owner) -> Fence {
    Fence {
        deployment: owner.deployment.clone(),
        epoch: owner.epoch,
    }
}

fn works(environments: &[Environment; 4]) -> Vec<(String, Work<'_>)> {
    let mut works = vec![
        ("green".to_owned(), Work::Green),
        ("weights".to_owned(), Work::Weights),
        ("back".to_owned(), Work::WeightsBack),
        ("detach".to_owned(), Work::Detach),
    ];
    for it in environments {
        works.extend([
            (format!("end {}", it.name), Work::EndUnserved(it)),
            (format!("hold {}", it.name), Work::Hold(it)),
            (format!("let go {}", it.name), Work::LetGo(it)),
            (format!("end sealed {}", it.name), Work::EndSealed(it)),
        ]);
    }
    works
}

/// What `fence` may do, in words.
fn admitted(record: &Record, fence: &Fence) -> Vec<String> {
    let environments = ["blue", "green", "old", "third"].map(environment);
    let works = works(&environments).into_iter();
    works
        .filter(|(_, work)| record.admits(fence, *work).is_ok())
        .map(|(words, _)| words)
        .collect()
}

#[test]
fn the_front_may_do_in_each_phase_what_belongs_to_it_and_nothing_else() {
    let (old, blue) = (environment("old"), environment("blue"));
    let cases: [(Phase, &[&str]); 5] = [
        (
            superseding(&blue, &environment("green")),
            &["detach", "let go blue", "end green"],
        ),
        (
            Phase::Claimed,
            &["green", "detach", "let go blue", "end green"],
        ),
        (Phase::Switched, &["weights", "hold blue"]),
        (
            rolling_back(),
            &["back", "hold blue", "let go blue", "hold green"],
        ),
        (Phase::Detaching { environment: old }, &["detach"]),
    ];
    for (phase, expected) in cases {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let mut may = admitted(&of(phase.clone()), &fence(&owner()));
        may.sort_unstable();
        assert_eq!(may, expected, "{phase:?}");
    }
}

#[test]
fn an_entry_admits_its_own_owner_in_every_phase_of_the_front_and_without_one() {
    let without = Record {
        front: None,
        ..of(Phase::Claimed)
    };
    for record in [without, of(Phase::Switched), of(rolling_back())] {
        let may = admitted(&record, &fence(&another()));
        assert_eq!(may, ["hold old", "end sealed old"]);
    }
}

#[test]
fn another_epoch_or_another_deployment_may_do_nothing() {
    let phases = [Phase::Claimed, Phase::Switched, rolling_back()];
    for phase in phases {
        for (deployment, epoch) in [
            ("deploy-1", EPOCH - 1),
            ("deploy-1", EPOCH + 1),
            ("deploy-0", EPOCH),
            ("deploy-9", EPOCH),
        ] {
            let late = Fence {
                deployment: deployment.to_owned(),
                epoch,
            };
            assert_eq!(admitted(&of(phase.clone()), &late), [""; 0]);
        }
    }
    let free = Record::default();
    assert_eq!(admitted(&free, &fence(&owner())), [""; 0]);
}

#[test]
fn a_refusal_names_the_front_and_who_retires() {
    let late = Fence {
        deployment: "deploy-9".to_owned(),
        epoch: 3,
    };
    let refused = of(Phase::Switched)
        .admits(&late, Work::Weights)
        .unwrap_err();
    let words = refused.to_string();
    assert!(words.contains("deployment deploy-9 at epoch 3"), "{words}");
    assert!(words.contains("deploy-1 at epoch 5 (switched)"), "{words}");
    assert!(words.contains("old for deploy-0 at epoch 4"), "{words}");
    let free = Record::default().admits(&late, Work::Weights).unwrap_err();
    assert!(free.to_string().contains("front is nobody's"), "{free}");
}
