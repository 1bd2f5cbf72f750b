//! The checker's: every lock, atomic and task is a step at which it may let another task go on. Time stands still until
//! [`pass`] lets it go to the next timer, so that "in time" and "too late" are explored like any other order.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use shuttle::rand::Rng;
use thiserror::Error;

pub use shuttle::future::{JoinError, JoinHandle, spawn};
pub use shuttle::sync::{Mutex, MutexGuard, atomic};

/// Polls in the order written, where tokio would draw lots: a schedule must repeat what it did.
macro_rules! select {
    ($($branches:tt)*) => { tokio::select! { biased; $($branches)* } };
}
pub(crate) use select;

/// tokio's wake-ups, each a step of its own: what lies between looking and listening is where they get lost.
#[derive(Debug, Default)]
pub struct Notify {
    step: atomic::AtomicU64,
    tokio: tokio::sync::Notify,
}

impl Notify {
    /// Nobody waits.
    pub fn new() -> Self {
        Self::default()
    }

    fn step(&self) -> &tokio::sync::Notify {
        self.step.fetch_add(1, atomic::Ordering::SeqCst);
        &self.tokio
    }

    /// As tokio's.
    pub fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.step().notified()
    }

    /// As tokio's.
    pub fn notify_one(&self) {
        self.step().notify_one();
    }

    /// As tokio's.
    pub fn notify_waiters(&self) {
        self.step().notify_waiters();
    }
}

/// What blocks a thread of its own is one more task here.
pub fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    spawn(async move { work() })
}

/// A random number from 0 to 1, one of the schedule's own.
pub fn chance() -> f64 {
    shuttle::rand::thread_rng().gen_range(0.0..1.0)
}

#[derive(Default)]
struct Clock {
    /// Since the schedule began.
    now: Duration,
    next: u64,
    timers: BTreeMap<(Duration, u64), Waker>,
    /// Who lets time pass, while there is nothing to wait for.
    idle: Option<Waker>,
}

thread_local! {
    // The checker runs all tasks of a schedule on one thread.
    static CLOCK: RefCell<Clock> = RefCell::default();
}

fn beginning() -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    *BEGINNING.get_or_init(Instant::now)
}

/// A new schedule begins: no time has passed, and nobody waits.
pub fn begin() {
    // Dropped outside: a waker may drop a task, and a task its timers.
    drop(CLOCK.take());
}

/// This instant of the schedule.
pub fn now() -> Instant {
    beginning() + CLOCK.with_borrow(|clock| clock.now)
}

/// The time since 1970, when every schedule begins.
pub fn since_1970() -> Duration {
    CLOCK.with_borrow(|clock| clock.now)
}

/// Waits for a timer and lets time go to the earliest, whose task wakes; never further than `horizon`.
pub async fn pass(horizon: Duration) {
    let earliest = std::future::poll_fn(|cx| {
        CLOCK.with_borrow_mut(|clock| match clock.timers.first_entry() {
            Some(timer) if timer.key().0 <= horizon => {
                clock.now = clock.now.max(timer.key().0);
                Poll::Ready(timer.remove())
            }
            _ => {
                clock.idle = Some(cx.waker().clone());
                Poll::Pending
            }
        })
    });
    earliest.await.wake();
}

struct Sleep {
    until: Duration,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let idle = CLOCK.with_borrow_mut(|clock| {
            if clock.now >= self.until {
                return None;
            }
            let timer = *self.timer.get_or_insert_with(|| {
                clock.next += 1;
                clock.next
            });
            clock.timers.insert((self.until, timer), cx.waker().clone());
            Some(clock.idle.take())
        });
        match idle {
            None => Poll::Ready(()),
            Some(idle) => {
                if let Some(waker) = idle {
                    waker.wake();
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            CLOCK.with_borrow_mut(|clock| clock.timers.remove(&(self.until, timer)));
        }
    }
}

/// Waits until `instant`.
pub async fn sleep_until(instant: Instant) {
    let until = instant.saturating_duration_since(beginning());
    Sleep { until, timer: None }.await;
}

/// Waits so long.
pub async fn sleep(duration: Duration) {
    sleep_until(now() + duration).await;
}

/// The time given was not enough.
#[derive(Debug, Error)]
#[error("too late")]
pub struct Elapsed;

/// Gives the future so much time.
///
/// # Errors
/// When that was not enough.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::select! {
        biased;
        output = future => Ok(output),
        () = sleep(duration) => Err(Elapsed),
    }
}
