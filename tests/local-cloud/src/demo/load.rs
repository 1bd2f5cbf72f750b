//! The users: 300 clients, and callers who work with some of them before, during and after the switch.
//!
//! Owns who works when. A worker learns of the switch only when it is seen, works on without pause for its own time
//! after it, stops, waits until its client was moved, and works again. Nothing here counts: see [`super::report`].

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::{Caller, STREAM_TAKES};
use super::clients::Client;
use super::observe::{Environment, Kind, Recorder};

/// The first worker stops this long after the switch, the last one that long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LAST_PAUSE: Duration = Duration::from_millis(24_500);

/// How long slow requests take.
const SLOW_FROM: Duration = Duration::from_secs(2);
const SLOW_SPREAD_MILLIS: usize = 3_000;

/// What a worker does after its client was moved.
const ON_GREEN: [Work; 3] = [
    Work::Stream,
    Work::SlowAndStream(SLOW_FROM),
    Work::Quick(Duration::from_millis(200)),
];

/// Callers that now and then send a single request through a client nobody works with, the switch and the drain
/// included: they neither know nor care that a deployment is running.
const PASSERS_BY: usize = 12;
const PASS_EVERY: Duration = Duration::from_secs(4);

/// Requests at once when every client is tried at the end.
const TRIED_AT_ONCE: usize = 24;

/// When the switch was seen; nothing before.
pub(super) type Switched = watch::Receiver<Option<Instant>>;

/// The callers of a demo.
#[derive(Debug)]
pub(super) struct Load<C> {
    caller: C,
    recorder: Recorder,
    workers: TaskTracker,
    passers: TaskTracker,
    no_more_passing: CancellationToken,
    stop: CancellationToken,
}

impl<C: Caller> Load<C> {
    /// Callers that use `caller` and end when `stop` is.
    pub(super) fn new(caller: C, recorder: Recorder, stop: CancellationToken) -> Self {
        Self {
            caller,
            recorder,
            workers: TaskTracker::new(),
            passers: TaskTracker::new(),
            no_more_passing: stop.child_token(),
            stop,
        }
    }

    /// Starts a worker on each of the first `busy` clients, and passers-by on some of the others.
    pub(super) fn start(&self, clients: &[Client], busy: usize, switched: &Switched) {
        let (worked_with, others) = clients.split_at(busy.min(clients.len()));
        for (place, client) in worked_with.iter().enumerate() {
            let worker = Worker {
                caller: self.caller.clone(),
                recorder: self.recorder.clone(),
                client: client.clone(),
                place,
                pauses_after: pause(place, worked_with.len()),
                switched: switched.clone(),
            };
            self.workers
                .spawn(self.stop.clone().run_until_cancelled_owned(worker.work()));
        }
        let apart = (others.len() / PASSERS_BY).max(1);
        for (place, client) in others.iter().step_by(apart).take(PASSERS_BY).enumerate() {
            let passing = pass_by(self.caller.clone(), client.name.clone(), place);
            self.passers.spawn(
                self.no_more_passing
                    .clone()
                    .run_until_cancelled_owned(passing),
            );
        }
    }

    /// Waits for every worker to be done, then sends one request through every client.
    pub(super) async fn finish(&self, clients: &[Client]) {
        self.workers.close();
        self.workers.wait().await;
        self.no_more_passing.cancel();
        self.passers.close();
        self.passers.wait().await;
        let trying = TaskTracker::new();
        let turn = std::sync::Arc::new(tokio::sync::Semaphore::new(TRIED_AT_ONCE));
        for client in clients {
            let (caller, name, turn) = (
                self.caller.clone(),
                client.name.clone(),
                std::sync::Arc::clone(&turn),
            );
            trying.spawn(async move {
                let _turn = turn.acquire_owned().await;
                caller
                    .wait(
                        &name,
                        Kind::Quick,
                        Duration::from_millis(20),
                        Some(Environment::Green),
                    )
                    .await;
            });
        }
        trying.close();
        trying.wait().await;
    }
}

// Workers stop one after another, evenly spread.
fn pause(place: usize, of: usize) -> Duration {
    let share = u32::try_from(place).unwrap_or(0);
    let shares = u32::try_from(of.saturating_sub(1)).unwrap_or(1).max(1);
    FIRST_PAUSE + (LAST_PAUSE - FIRST_PAUSE) * share / shares
}

/// Somebody at work through one client.
struct Worker<C> {
    caller: C,
    recorder: Recorder,
    client: Client,
    place: usize,
    pauses_after: Duration,
    switched: Switched,
}

/// One piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Quick(Duration),
    Slow(Duration),
    Stream,
    SlowAndStream(Duration),
}

impl Work {
    // Workers are out of step with each other: each begins at another place of the same round.
    fn of(place: usize, turn: usize) -> Self {
        let slow = SLOW_FROM
            + Duration::from_millis(((place * 617 + turn * 401) % SLOW_SPREAD_MILLIS) as u64);
        match (place + turn) % 6 {
            1 => Self::Slow(slow),
            3 => Self::Stream,
            5 => Self::SlowAndStream(slow),
            _ => Self::Quick(Duration::from_millis(
                (150 + (place * 37 + turn * 53) % 250) as u64,
            )),
        }
    }

    fn takes(self) -> Duration {
        match self {
            Self::Quick(wait) | Self::Slow(wait) => wait,
            Self::Stream => STREAM_TAKES,
            Self::SlowAndStream(wait) => wait.max(STREAM_TAKES),
        }
    }

    // What still ends before the worker wants to stop, or nothing when there is no time left.
    fn that_fits(self, left: Duration) -> Option<Self> {
        if left.is_zero() {
            None
        } else if self.takes() <= left {
            Some(self)
        } else {
            Some(Self::Quick(left.min(Duration::from_millis(300))))
        }
    }
}

impl<C: Caller> Worker<C> {
    async fn work(mut self) {
        let mut turn = 0;
        while let Some(work) = Work::of(self.place, turn).that_fits(self.left()) {
            self.perform(work, None).await;
            turn += 1;
        }
        if self.moved().await {
            for work in ON_GREEN {
                self.perform(work, Some(Environment::Green)).await;
            }
        }
    }

    fn left(&self) -> Duration {
        match *self.switched.borrow() {
            Some(at) => (at + self.pauses_after).saturating_duration_since(Instant::now()),
            None => Duration::MAX,
        }
    }

    async fn moved(&mut self) -> bool {
        let recorder = &self.recorder;
        let on_green = |server: &Option<String>| {
            server
                .as_deref()
                .is_some_and(|server| recorder.environment(server) == Some(Environment::Green))
        };
        self.client.server.wait_for(on_green).await.is_ok()
    }

    async fn perform(&self, work: Work, expected: Option<Environment>) {
        let (caller, name) = (&self.caller, &self.client.name);
        match work {
            Work::Quick(wait) => caller.wait(name, Kind::Quick, wait, expected).await,
            Work::Slow(wait) => caller.wait(name, Kind::Slow, wait, expected).await,
            Work::Stream => caller.stream(name, expected).await,
            Work::SlowAndStream(wait) => {
                tokio::join!(
                    caller.wait(name, Kind::Slow, wait, expected),
                    caller.stream(name, expected)
                );
            }
        }
    }
}

async fn pass_by<C: Caller>(caller: C, client: String, place: usize) {
    let apart = PASS_EVERY + Duration::from_millis((place * 317 % 1_500) as u64);
    loop {
        tokio::time::sleep(apart).await;
        caller
            .wait(&client, Kind::Quick, Duration::from_millis(50), None)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_stop_from_5_to_25_seconds_after_the_switch() {
        assert_eq!(pause(0, 110), Duration::from_secs(5));
        assert_eq!(pause(109, 110), LAST_PAUSE);
        assert!(LAST_PAUSE < Duration::from_secs(25));
        assert_eq!(pause(0, 1), Duration::from_secs(5));
    }

    #[test]
    fn every_kind_of_work_comes_up_within_a_round() {
        let round: Vec<Work> = (0..6).map(|turn| Work::of(7, turn)).collect();
        assert!(round.iter().any(|work| matches!(work, Work::Slow(_))));
        assert!(round.iter().any(|work| matches!(work, Work::Stream)));
        assert!(
            round
                .iter()
                .any(|work| matches!(work, Work::SlowAndStream(_)))
        );
        assert!(round.iter().any(|work| matches!(work, Work::Quick(_))));
    }

    #[test]
    fn work_that_would_end_too_late_becomes_work_that_fits() {
        let slow = Work::Slow(Duration::from_secs(4));
        assert_eq!(slow.that_fits(Duration::MAX), Some(slow));
        assert_eq!(
            slow.that_fits(Duration::from_millis(90)),
            Some(Work::Quick(Duration::from_millis(90)))
        );
        assert_eq!(slow.that_fits(Duration::ZERO), None);
    }
}
