//! Seals while clients come and go without a pause. The same clients against a count that comes before the rule: only if
//! that one errs has the race been run at all.

use std::time::Duration;

use ebbtide_agent::rules::Rules;
use ebbtide_endpoint::Gate as _;
use ebbtide_endpoint::admission::Mode;

use crate::namespace::alone;
use crate::world::{Echo, Hammer, gate, present, rules, runtime, until};

const PAUSE: Duration = Duration::from_micros(2000);

/// Whether somebody is in, or comes in, although everything is kept out: and it is, until after this was seen.
fn is_wrong(server: &Echo, rules: &Rules) -> bool {
    let (ports, accepted) = ([server.port()], server.accepted());
    let came = (0..5).any(|_| {
        let came = present(&ports) > 0;
        std::thread::sleep(Duration::from_millis(1));
        came
    });
    (came || server.accepted() != accepted) && rules.standing().unwrap().drops()
}

/// Waits until the clients are back from what kept them out.
fn falls(server: &Echo) {
    let accepted = server.accepted();
    until("the hammer falls", || server.accepted() >= accepted + 5);
}

/// How many of `seals` seals with the count before the rule were wrong; gives up once one is.
fn counted_first(server: &Echo, rules: &Rules, most: usize) -> (usize, usize) {
    let (mut sealed, mut wrong) = (0, 0);
    for _ in 0..most {
        falls(server);
        if present(&[server.port()]) > 0 {
            continue;
        }
        rules.drop_all().unwrap();
        sealed += 1;
        wrong += usize::from(is_wrong(server, rules));
        rules.lift().unwrap();
        if wrong > 0 {
            break;
        }
    }
    (sealed, wrong)
}

fn hammered(seals: usize) {
    let runtime = runtime();
    let _entered = runtime.enter();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let server = Echo::listen(address);
        let ports = [server.port()];
        let (gate, rules) = (gate(&ports), rules(&ports));
        gate.set(Mode::Open).unwrap();
        let _hammer = Hammer::on(server.address, 4, PAUSE);
        let (tried, wrong) = counted_first(&server, &rules, 20_000);
        assert!(
            wrong > 0,
            "{address}: {tried} seals with the count first were all right, so the race was not exercised"
        );
        let (mut sealed, mut refused) = (0, 0);
        while sealed < seals {
            falls(&server);
            match gate.shut() {
                Ok(()) => {
                    sealed += 1;
                    assert!(
                        !is_wrong(&server, &rules),
                        "{address}: seal {sealed} was wrong"
                    );
                    if sealed % 100 == 0 {
                        eprintln!("{address}: {sealed} seals, {refused} refused");
                    }
                }
                // It has let everybody in again.
                Err(_) => {
                    refused += 1;
                    continue;
                }
            }
            gate.set(Mode::Open).unwrap();
        }
        eprintln!(
            "{address}: {sealed} seals, 0 wrong, {refused} refused; with the count first {wrong} wrong of {tried}"
        );
    }
}

alone! {
    fn no_seal_is_wrong_under_a_hammer() {
        hammered(40);
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn no_seal_of_a_thousand_is_wrong_under_a_hammer() {
        hammered(1000);
    }
}
