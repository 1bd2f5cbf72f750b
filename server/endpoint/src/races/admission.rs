//! The compare-and-set word alone, in every order there is.
//!
//! Every access to it is sequentially consistent, so the orders of its steps are all that can happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use shuttle::Runner;
use shuttle::scheduler::DfsScheduler;
use shuttle::thread;

use super::{config, happened, tell};
use crate::admission::{Admission, Event, Mode, State};

/// How many are inside by their own account, and whether a seal was acknowledged. No steps of the checker's.
#[derive(Default)]
struct Inside {
    count: AtomicU64,
    acknowledged: AtomicBool,
}

fn visit(admission: &Admission, inside: &Inside, session: bool) {
    let place = if session {
        admission.enter_session()
    } else {
        admission.enter_request()
    };
    let Ok(place) = place else {
        happened("refused");
        return;
    };
    assert!(
        !inside.acknowledged.load(Ordering::SeqCst),
        "let in after the seal"
    );
    inside.count.fetch_add(1, Ordering::SeqCst);
    inside.count.fetch_sub(1, Ordering::SeqCst);
    drop(place);
    happened("inside");
}

fn seal(admission: &Admission, inside: &Inside) {
    if admission.apply(Event::BeginSeal).is_err() {
        happened("in use");
        return;
    }
    admission.apply(Event::ConfirmSeal).unwrap();
    assert_eq!(
        inside.count.load(Ordering::SeqCst),
        0,
        "sealed with somebody inside"
    );
    inside.acknowledged.store(true, Ordering::SeqCst);
    happened("sealed");
}

fn every_order(name: &str, threads: &'static [fn(&Admission, &Inside)]) {
    let begun = Instant::now();
    let explored = Runner::new(DfsScheduler::new(None, false), config()).run(move || {
        let (admission, inside) = (
            Admission::new(State::start(false)),
            Arc::new(Inside::default()),
        );
        let started: Vec<_> = threads
            .iter()
            .map(|act| {
                let (admission, inside) = (admission.clone(), inside.clone());
                thread::spawn(move || act(&admission, &inside))
            })
            .collect();
        for thread in started {
            thread.join().unwrap();
        }
        assert_eq!(admission.state().in_use, 0, "somebody left twice, or never");
        if inside.acknowledged.load(Ordering::SeqCst) {
            assert_eq!(admission.state().mode, Mode::Sealed);
        }
    });
    tell(
        name,
        explored,
        begun,
        &["refused", "inside", "in use", "sealed"],
    );
}

#[test]
fn a_seal_and_a_session() {
    every_order(
        "admission: a seal and a session (every order)",
        &[|admission, inside| visit(admission, inside, true), seal],
    );
}

#[test]
fn two_seals_and_a_request() {
    every_order(
        "admission: two seals and a request (every order)",
        &[
            seal,
            |admission, inside| visit(admission, inside, false),
            |admission, _| {
                let _ = admission.apply(Event::BeginSeal);
            },
        ],
    );
}
