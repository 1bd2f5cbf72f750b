//! The rules of docs/session-endpoint.yaml that can be tried from outside, in the order in which they are.
//!
//! Owns their names, which are a part of what this tool promises.

mod orders;
mod restarts;
mod sealing;
mod sessions;
mod signing;

use std::future::Future;
use std::pin::Pin;

use crate::trial::{Trial, Tried};

/// How a rule is tried.
type Act = for<'a> fn(&'a mut Trial) -> Pin<Box<dyn Future<Output = Tried> + 'a>>;

/// What has to be so before a rule is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Whatever the server is.
    Nothing,
    /// The server is open, and nothing is in use.
    Open,
}

pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) needs: Needs,
    pub(crate) act: Act,
}

macro_rules! rules {
    ($($needs:ident $name:literal $says:literal $act:path;)*) => {
        [$(Rule { name: $name, says: $says, needs: Needs::$needs, act: |trial| Box::pin($act(trial)) }),*]
    };
}

pub(crate) const ALL: [Rule; 33] = rules! {
    Nothing "report" "GET answers 200 with a well-formed report" orders::report;
    Open "takes-epoch" "an accepted order takes its epoch, and the answer shows what it did" orders::takes_its_epoch;
    Open "idempotent" "what is done already is answered with 200" orders::idempotent;
    Open "wrong-instance" "an order for another instance is refused and changes nothing" orders::wrong_instance;
    Open "stale-epoch" "an order of a lower epoch is refused and changes nothing" orders::stale_epoch;
    Open "order-of-checks" "WrongInstance comes before StaleEpoch" orders::order_of_checks;
    Open "malformed" "an ill-formed order is answered with 400 and changes nothing" orders::malformed_bodies;
    Open "too-large" "an order over 64 KiB is answered with 413 and changes nothing" orders::too_large;
    Open "unknown-fields" "fields that are not in the document are ignored" orders::unknown_fields;
    Nothing "signed-answers" "reports and refusals are signed, each as the answer to its call" signing::answers;
    Open "unsigned" "a call that is not signed is refused with 401 and changes nothing" signing::unsigned;
    Open "other-key" "a call signed with another key is refused with 401 and changes nothing" signing::other_key;
    Open "several-keys" "a call signed with several keys is taken if one of them is known" signing::several_keys;
    Open "altered" "a call changed after it was signed is refused with 401 and changes nothing" signing::altered;
    Open "replay" "a signed call is taken once: sent again as it was, it is refused with 401" signing::replay;
    Open "skew" "a call signed 60 s ago or ahead is refused with 401 and changes nothing" signing::skew;
    Open "restart-refuses" "a signed call that was taken before a restart is refused after it" signing::restart_refuses;
    Open "restart-keeps-epoch" "the epoch survives a restart of the process" restarts::keeps_epoch;
    Open "counts" "each open session is counted, from the moment that it is open until it is over" sessions::counted;
    Open "counts-busy" "a busy session is counted as busy, and for how long" sessions::busy_counted;
    Open "in-use" "a seal is refused while anything is in use, and changes nothing" sessions::seal_refused_in_use;
    Open "draining-refuses" "a draining server takes no session, and takes them again after resume" sessions::draining_refuses;
    Open "closes-idle" "a drain order closes idle sessions, and counts them" sessions::closes_idle;
    Open "spares-busy" "a drain order closes no busy session" sessions::spares_busy;
    Open "lease" "closing keeps to its slots and stops when the lease ends; the server stays draining" sessions::lease_ends;
    Open "resume-cancels" "no session is closed by an order after a resume" sessions::resume_cancels;
    Open "seal-is-atomic" "no session is alive once a seal is acknowledged" sealing::atomic;
    Nothing "seals" "a server with nothing in use seals, and says so" sealing::seals;
    Nothing "sealed-again" "a sealed server seals again, also for a higher epoch" sealing::sealed_again;
    Nothing "sealed-drains" "a sealed server has nothing to drain: 200, and it stays sealed" sealing::sealed_drains;
    Nothing "never-resumes" "a sealed server refuses to resume, and changes nothing" sealing::never_resumes;
    Nothing "sealed-refuses" "a sealed server takes no session, also after a restart" sealing::refuses_sessions;
    Nothing "restart-keeps-seal" "epoch and seal survive a restart of the process" restarts::keeps_seal;
};
