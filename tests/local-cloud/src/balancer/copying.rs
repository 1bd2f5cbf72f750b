//! Copies a connection both ways until it ends or nothing moves any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

/// Small: there is one buffer per direction of every pinned connection.
const BUFFER: usize = 8 * 1024;

/// Copies both ways. One side closing its writing half closes the other's, as TCP does; an error ends both.
///
/// # Errors
/// When a side broke, or nothing moved for too long.
pub(super) async fn both_ways<A, B>(one: A, other: B, idle_timeout: Duration) -> std::io::Result<()>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (mut one_reads, mut one_writes) = tokio::io::split(one);
    let (mut other_reads, mut other_writes) = tokio::io::split(other);
    let activity = Activity::new(idle_timeout);
    let there = one_way(&mut one_reads, &mut other_writes, &activity);
    let back = one_way(&mut other_reads, &mut one_writes, &activity);
    // An error on one way is the end of both: the peer is gone.
    tokio::try_join!(there, back).map(drop)
}

/// When something last moved, on either way.
struct Activity {
    started: Instant,
    last_millis: AtomicU64,
    idle_timeout: Duration,
}

impl Activity {
    fn new(idle_timeout: Duration) -> Self {
        Self {
            started: Instant::now(),
            last_millis: AtomicU64::new(0),
            idle_timeout,
        }
    }

    fn mark(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    fn ends_at(&self) -> Instant {
        self.started
            + Duration::from_millis(self.last_millis.load(Ordering::Relaxed))
            + self.idle_timeout
    }
}

async fn one_way<R, W>(from: &mut R, to: &mut W, activity: &Activity) -> std::io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match tokio::time::timeout_at(activity.ends_at(), from.read(&mut buffer)).await {
            Ok(read) => read?,
            // The other way may have moved since.
            Err(_) if activity.ends_at() > Instant::now() => continue,
            Err(_) => return Err(std::io::ErrorKind::TimedOut.into()),
        };
        activity.mark();
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
