//! Every reachable state of admission with up to four things in use, and real threads on the real word.

use std::collections::{HashSet, VecDeque};
use std::thread;

use proptest::prelude::*;

use super::*;

const EVENTS: [Event; 8] = [
    Event::EnterSession,
    Event::EnterRequest,
    Event::Leave,
    Event::Drain,
    Event::Resume,
    Event::BeginSeal,
    Event::ConfirmSeal,
    Event::AbandonSeal,
];

/// The state as the server holds it, beside what the outside world believes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct World {
    state: State,
    /// Sessions, handshakes and requests that were let in and have not left.
    inside: u64,
    /// The seal was acknowledged: the server may be terminated at any moment from now on.
    acknowledged: bool,
}

fn step(world: World, event: Event) -> Option<World> {
    let state = world.state.apply(event).ok()?;
    let inside = match event {
        Event::EnterSession | Event::EnterRequest => world.inside + 1,
        Event::Leave => world.inside.checked_sub(1)?,
        _ => world.inside,
    };
    let acknowledged = world.acknowledged || event == Event::ConfirmSeal;
    Some(World {
        state,
        inside,
        acknowledged,
    })
}

fn reachable(limit: u64) -> HashSet<World> {
    let first = World {
        state: State::start(false),
        inside: 0,
        acknowledged: false,
    };
    let (mut seen, mut queue) = (HashSet::from([first]), VecDeque::from([first]));
    while let Some(world) = queue.pop_front() {
        for event in EVENTS {
            let Some(next) = step(world, event) else {
                continue;
            };
            // Here, because a count that drifts would make states without end.
            assert_eq!(next.state.in_use, next.inside, "{world:?}, {event:?}");
            if next.inside <= limit && seen.insert(next) {
                queue.push_back(next);
            }
        }
    }
    seen
}

#[test]
fn nothing_is_inside_a_sealed_server_in_any_reachable_state() {
    let worlds = reachable(4);
    assert!(
        worlds.iter().any(|world| world.acknowledged),
        "the seal must be reachable"
    );
    for world in worlds {
        if matches!(world.state.mode, Mode::Sealing | Mode::Sealed) {
            assert_eq!(world.inside, 0, "{world:?}");
        }
        if world.acknowledged {
            assert_eq!(
                world.state,
                State {
                    mode: Mode::Sealed,
                    in_use: 0
                },
                "{world:?}"
            );
        }
    }
}

#[test]
fn an_acknowledged_seal_is_never_left() {
    let sealed = State::start(true);
    for event in EVENTS {
        assert_eq!(sealed.apply(event).unwrap_or(sealed), sealed, "{event:?}");
    }
    assert_eq!(sealed.apply(Event::Resume), Err(Refusal::Sealed));
    assert_eq!(sealed.apply(Event::EnterSession), Err(Refusal::Sealed));
    assert_eq!(sealed.apply(Event::EnterRequest), Err(Refusal::Sealed));
}

#[test]
fn an_open_server_takes_everything_and_a_draining_one_takes_requests_only() {
    let open = State::start(false);
    assert!(open.apply(Event::EnterSession).is_ok());
    assert!(open.apply(Event::EnterRequest).is_ok());
    let draining = open.apply(Event::Drain).unwrap();
    assert_eq!(draining.apply(Event::EnterSession), Err(Refusal::Draining));
    assert_eq!(draining.apply(Event::EnterRequest).unwrap().in_use, 1);
    assert_eq!(draining.apply(Event::Resume), Ok(open));
}

#[test]
fn a_seal_names_what_is_in_use_and_an_abandoned_one_goes_back_to_draining() {
    let busy = State {
        mode: Mode::Draining,
        in_use: 3,
    };
    assert_eq!(busy.apply(Event::BeginSeal), Err(Refusal::InUse(3)));
    let sealing = State {
        mode: Mode::Draining,
        in_use: 0,
    }
    .apply(Event::BeginSeal)
    .unwrap();
    assert_eq!(sealing.mode, Mode::Sealing);
    assert_eq!(sealing.apply(Event::Resume), Err(Refusal::Sealed));
    assert_eq!(
        sealing.apply(Event::AbandonSeal).unwrap().mode,
        Mode::Draining
    );
}

proptest! {
    #[test]
    fn a_word_holds_its_state(mode in 0u64..4, in_use in 0u64..(1 << 40)) {
        let word = (mode << MODE_SHIFT) | in_use;
        prop_assert_eq!(State::unpack(word).pack(), word);
    }

    #[test]
    fn any_sequence_keeps_the_count_and_the_seal(events in prop::collection::vec(prop::sample::select(EVENTS.to_vec()), 0..200)) {
        let mut world = World { state: State::start(false), inside: 0, acknowledged: false };
        for event in events {
            world = step(world, event).unwrap_or(world);
            prop_assert_eq!(world.state.in_use, world.inside);
            prop_assert!(!world.acknowledged || world.state == State::start(true));
        }
    }
}

#[test]
fn threads_that_enter_while_another_seals_are_inside_or_refused_never_both() {
    for _ in 0..200 {
        let admission = Admission::new(State::start(false));
        let entering: Vec<_> = (0..3)
            .map(|n| {
                let admission = admission.clone();
                thread::spawn(move || {
                    if n == 0 {
                        admission.enter_session()
                    } else {
                        admission.enter_request()
                    }
                })
            })
            .collect();
        let sealed = admission.apply(Event::BeginSeal).is_ok();
        let places: Vec<_> = entering
            .into_iter()
            .filter_map(|thread| thread.join().unwrap().ok())
            .collect();
        assert_eq!(admission.state().in_use, places.len() as u64);
        assert!(
            !sealed || places.is_empty(),
            "a seal and {} places",
            places.len()
        );
        drop(places);
        assert_eq!(admission.state().in_use, 0);
    }
}
