//! Seals while clients come and go without a pause. The same clients against a count that comes before the rule: only if
//! that one errs has the race been run at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ebbtide_agent::rules::Rules;
use ebbtide_endpoint::Gate as _;
use ebbtide_endpoint::admission::Mode;

use crate::namespace::alone;
use crate::target::Target;
use crate::world::{Hammer, gate, present, rules, runtime, until};

const PAUSE: Duration = Duration::from_micros(2000);

/// Whether somebody is in, or comes in, although everything is kept out: and it is, until after this was seen.
fn is_wrong(target: &Target, rules: &Rules) -> bool {
    let (ports, served) = ([target.port()], target.served());
    let came = (0..5).any(|_| {
        let came = present(&ports) > 0;
        std::thread::sleep(Duration::from_millis(1));
        came
    });
    (came || target.served() != served) && rules.standing().unwrap().drops()
}

/// Waits until the clients are back from what kept them out.
fn falls(target: &Target) {
    let served = target.served();
    until("the hammer falls", || target.served() >= served + 5);
}

/// How many of `seals` seals with the count before the rule were wrong; and of more, until one is.
fn counted_first(target: &Target, rules: &Rules, seals: usize) -> (usize, usize) {
    let (mut sealed, mut wrong) = (0, 0);
    while sealed < seals || (wrong == 0 && sealed < 20_000) {
        falls(target);
        if present(&[target.port()]) > 0 {
            continue;
        }
        rules.drop_all().unwrap();
        sealed += 1;
        wrong += usize::from(is_wrong(target, rules));
        rules.lift().unwrap();
    }
    (sealed, wrong)
}

fn hammered(target: Target, seals: usize) {
    let runtime = runtime();
    let _entered = runtime.enter();
    let (ports, target) = ([target.port()], Arc::new(target));
    let (gate, rules) = (gate(&ports), rules(&ports));
    gate.set(Mode::Open).unwrap();
    let _hammer = Hammer::on(&target, 4, PAUSE);
    let (tried, wrong) = counted_first(&target, &rules, seals / 10);
    let name = &target.name;
    assert!(
        wrong > 0,
        "{name}: {tried} seals with the count first were all right, so the race was not exercised"
    );
    let (begun, served) = (Instant::now(), target.served());
    let (mut sealed, mut refused) = (0, 0);
    while sealed < seals {
        falls(&target);
        if gate.shut().is_err() {
            // It has let everybody in again.
            refused += 1;
            continue;
        }
        sealed += 1;
        assert!(
            !is_wrong(&target, &rules),
            "{name}: seal {sealed} was wrong"
        );
        if sealed % 100 == 0 {
            eprintln!("{name}: {sealed} seals, {refused} refused");
        }
        gate.set(Mode::Open).unwrap();
    }
    eprintln!(
        "{name}: {sealed} seals, 0 wrong, {refused} refused, {} served in {:?}; with the count first {wrong} wrong of {tried}",
        target.served() - served,
        begun.elapsed(),
    );
}

fn hammered_echo(seals: usize) {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        hammered(Target::echo(address), seals);
    }
}

alone! {
    fn no_seal_is_wrong_under_a_hammer() {
        hammered_echo(40);
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn no_seal_of_a_thousand_is_wrong_under_a_hammer() {
        hammered_echo(1000);
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn no_seal_of_a_thousand_on_mosquitto_is_wrong() {
        hammered(Target::mosquitto(), 1000);
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn no_seal_of_a_thousand_on_nginx_is_wrong() {
        hammered(Target::nginx(), 1000);
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn no_seal_of_a_thousand_on_redis_is_wrong() {
        hammered(Target::redis(), 1000);
    }
}
