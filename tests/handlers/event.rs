//! What may happen in a case, and how it is drawn.
//!
//! Every event means something in every world: whom it is about is a number that is counted round those there are. So
//! an event can be left out of a sequence, or moved, and the rest still runs; that is what shrinking does.

use ebbtide_rules::input::Verb;
use ebbtide_rules::plan::Gate;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// A service before its first event.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Setup {
    /// How many servers blue has.
    pub(crate) blue: u8,
    /// Whether an Auto Scaling group holds them.
    pub(crate) scaling: bool,
    /// `traffic.steps`.
    pub(crate) steps: Vec<u32>,
    /// `bake.seconds`.
    pub(crate) bake_seconds: u32,
    /// Whether an alarm is watched.
    pub(crate) alarms: bool,
    /// `minimumHealthyPercent`.
    pub(crate) minimum_percent: u32,
    /// `drain.detached`.
    pub(crate) detached: bool,
    /// `approve`.
    #[serde(default)]
    pub(crate) approve: Vec<Gate>,
    /// How many passes an execution makes before another goes on.
    pub(crate) passes: u32,
    /// How many deployments were made before and still drain, each held by a busy session.
    pub(crate) draining: u8,
    /// How many steps the next deployment has made, all of them well.
    pub(crate) begun: u8,
}

/// A service, and what happens to it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) setup: Setup,
    pub(crate) events: Vec<Event>,
}

/// One thing that happens.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Event {
    /// An execution makes so many steps, each well.
    Go { who: u8, steps: u8 },
    /// An execution goes on until it is about to do what a state does; in kept sequences only, so that they survive states
    /// that come between.
    Until { who: u8, state: String },
    /// An execution makes a step, in which something goes wrong.
    Step { who: u8, mishap: Mishap },
    /// A call whose outcome nobody knows arrives; it may have read the record when it was made.
    Late { call: u8, has_read: bool },
    /// An operator redrives a failed execution.
    Redrive { who: u8 },
    /// An operator stops an execution, perhaps while its function is under way.
    Stop { who: u8, under_way: bool },
    /// Another deployment is started.
    Deploy,
    /// A take-over of one of those that the record names is started.
    TakeOver { whom: u8, roll_back: bool },
    /// One of those that the record names is told something.
    Wish { whom: u8, verb: Verb },
    /// The alarm begins or ends.
    Alarm(bool),
    /// The alarm begins and ends at once.
    Flash,
    /// Time passes.
    Pass { seconds: u16 },
    /// A session comes by the listener's weights, or by those from before the last change while the balancer settles.
    Arrive { at: u8, busy: bool, stale: bool },
    /// A session comes between a server's next report and the next order that it is given.
    Come { at: u8 },
    /// A server's busy sessions turn idle, and its idle ones busy.
    Turn { at: u8 },
    /// One of each that a server holds ends.
    Leave { at: u8 },
    /// A server begins to carry a request for another.
    Carry { at: u8 },
    /// A server's answers go wrong, or those to orders only.
    Trouble {
        at: u8,
        trouble: Trouble,
        orders_only: bool,
    },
    /// All servers answer well again.
    Recover,
    /// A server's process dies.
    Crash { at: u8 },
    /// A server's process is started anew.
    Restart { at: u8 },
    /// Somebody else ends an instance.
    EndInstance { at: u8 },
    /// The load balancer finds a server unhealthy, or healthy again.
    Ill { at: u8 },
    /// The Auto Scaling group does what it may: it ends a member, or replaces one that is gone.
    Scale { at: u8 },
    /// Somebody moves the weight to a group that has served before, all of it or half.
    Weigh { at: u8, whole: bool },
}

/// What goes wrong in a step.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The call acts, and its reply is lost.
    ReplyLost,
    /// The call does not arrive in time; it may come late.
    NeverArrives,
    /// A call that the function makes of AWS fails, after so many that do not.
    Aws { after: u8, fault: AwsFault },
}

/// How AWS fails.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum AwsFault {
    Throttled,
    Denied,
    ReplyLost,
    Unreachable,
}

/// What is wrong with a server's answers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing comes until the caller gives up; for one call of a function, because that takes a real second.
    Hangs,
    /// 401.
    Unauthorized,
    /// 500, and nothing is done.
    Fails,
    /// 500, and what was ordered is done.
    LosesReply,
    /// Broken JSON.
    Garbled,
    /// The report of another instance, sealed and empty.
    Another,
    /// A negative count.
    Negative,
}

fn setups() -> impl Strategy<Value = Setup> {
    let steps = prop_oneof![3 => Just(vec![100]), 1 => Just(vec![50, 100])];
    let policy = (
        steps,
        prop_oneof![Just(0_u32), Just(20)],
        any::<bool>(),
        prop_oneof![Just(50_u32), Just(100)],
        prop::bool::weighted(0.2),
        prop_oneof![1 => Just(5_u32), 2 => Just(60)],
        gates(),
    );
    (
        1..=3_u8,
        prop::bool::weighted(0.25),
        policy,
        prop_oneof![3 => Just(0_u8), 2 => Just(1), 1 => Just(2)],
        prop_oneof![2 => Just(0_u8), 3 => 0..100_u8],
    )
        .prop_map(|(blue, scaling, policy, draining, begun)| {
            let (steps, bake_seconds, alarms, minimum_percent, detached, passes, approve) = policy;
            Setup {
                // There are as many addresses as three deployments of three servers need.
                blue: blue.min(3 - draining.min(1)),
                scaling,
                steps,
                bake_seconds,
                alarms,
                minimum_percent,
                detached,
                approve,
                passes,
                draining,
                begun,
            }
        })
}

fn gates() -> impl Strategy<Value = Vec<Gate>> {
    prop_oneof![
        6 => Just(Vec::new()),
        1 => Just(vec![Gate::Switch]),
        1 => Just(vec![Gate::Seal]),
        1 => Just(vec![Gate::Switch, Gate::Seal]),
    ]
}

fn mishaps() -> impl Strategy<Value = Mishap> {
    let fault = prop_oneof![
        Just(AwsFault::Throttled),
        Just(AwsFault::Denied),
        Just(AwsFault::ReplyLost),
        Just(AwsFault::Unreachable),
    ];
    prop_oneof![
        2 => Just(Mishap::ReplyLost),
        1 => Just(Mishap::NeverArrives),
        3 => (0..12_u8, fault).prop_map(|(after, fault)| Mishap::Aws { after, fault }),
    ]
}

fn troubles() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        1 => Just(Trouble::Hangs),
        3 => Just(Trouble::Unauthorized),
        3 => Just(Trouble::Fails),
        4 => Just(Trouble::LosesReply),
        3 => Just(Trouble::Garbled),
        3 => Just(Trouble::Another),
        3 => Just(Trouble::Negative),
    ]
}

fn verbs() -> impl Strategy<Value = Verb> {
    prop::sample::select(Verb::ALL.to_vec())
}

fn at() -> impl Strategy<Value = u8> {
    0..9_u8
}

fn events() -> impl Strategy<Value = Event> {
    let who = || 0..4_u8;
    let workflow = prop_oneof![
        16 => (who(), 1..=12_u8).prop_map(|(who, steps)| Event::Go { who, steps }),
        5 => (who(), mishaps()).prop_map(|(who, mishap)| Event::Step { who, mishap }),
        4 => any::<(u8, bool)>().prop_map(|(call, has_read)| Event::Late { call, has_read }),
        2 => who().prop_map(|who| Event::Redrive { who }),
    ];
    let people = prop_oneof![
        2 => (who(), any::<bool>()).prop_map(|(who, under_way)| Event::Stop { who, under_way }),
        4 => Just(Event::Deploy),
        3 => (who(), any::<bool>()).prop_map(|(whom, roll_back)| Event::TakeOver { whom, roll_back }),
        3 => (who(), verbs()).prop_map(|(whom, verb)| Event::Wish { whom, verb }),
        2 => any::<bool>().prop_map(Event::Alarm),
        1 => Just(Event::Flash),
        1 => (at(), any::<bool>()).prop_map(|(at, whole)| Event::Weigh { at, whole }),
    ];
    let sessions = prop_oneof![
        5 => (at(), any::<bool>(), any::<bool>())
            .prop_map(|(at, busy, stale)| Event::Arrive { at, busy, stale }),
        2 => at().prop_map(|at| Event::Come { at }),
        2 => at().prop_map(|at| Event::Turn { at }),
        5 => at().prop_map(|at| Event::Leave { at }),
        1 => at().prop_map(|at| Event::Carry { at }),
        2 => (1..200_u16).prop_map(|seconds| Event::Pass { seconds }),
    ];
    let servers = prop_oneof![
        6 => (at(), troubles(), any::<bool>()).prop_map(|(at, trouble, orders_only)| Event::Trouble {
            at,
            trouble,
            orders_only
        }),
        5 => Just(Event::Recover),
        1 => at().prop_map(|at| Event::Crash { at }),
        3 => at().prop_map(|at| Event::Restart { at }),
        1 => at().prop_map(|at| Event::EndInstance { at }),
        2 => at().prop_map(|at| Event::Ill { at }),
        2 => at().prop_map(|at| Event::Scale { at }),
    ];
    prop_oneof![27 => workflow, 4 => people, 14 => sessions, 6 => servers]
}

/// A case of at most so many events.
pub(crate) fn cases(most: usize) -> impl Strategy<Value = Case> {
    (setups(), prop::collection::vec(events(), 1..=most))
        .prop_map(|(setup, events)| Case { setup, events })
}
