//! The one bounded wait: polls until something holds, and says what it saw last if it never does.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long [`until`] rests between two looks that cost nothing.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long it rests at the most.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What one look found.
#[derive(Debug)]
pub enum Seen<T> {
    /// What was waited for.
    Done(T),
    /// Not yet; the text says what is there instead.
    NotYet(String),
}

/// Looks until `look` answers [`Seen::Done`], for at most `limit`. A look that takes long, the whole history of an execution
/// on a busy machine above all, is followed by a rest three times as long: whoever waits may not slow down what he waits for.
///
/// # Errors
/// [`Error::TimedOut`] with the last status seen, or whatever `look` fails with, at once.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Seen<T>>>,
{
    let started = Instant::now();
    loop {
        let looking = Instant::now();
        let last = match look().await? {
            Seen::Done(value) => return Ok(value),
            Seen::NotYet(status) => status,
        };
        if started.elapsed() >= limit {
            return Err(Error::TimedOut {
                what: what.to_owned(),
                waited: limit,
                last,
            });
        }
        let rest = (looking.elapsed() * 3).clamp(LOOK_EVERY, LONGEST_REST);
        tokio::time::sleep(rest).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reports_the_last_status_when_time_is_up() {
        let mut looks = 0;
        let error = until("the sun", Duration::from_millis(150), || {
            looks += 1;
            let status = format!("look {looks}");
            async move { Ok(Seen::<()>::NotYet(status)) }
        })
        .await
        .unwrap_err();
        assert!(
            error.to_string().contains("the sun") && error.to_string().contains("last seen: look "),
            "{error}"
        );
    }

    #[tokio::test]
    async fn answers_at_once_when_it_is_there() {
        let found = until("it", Duration::ZERO, || async { Ok(Seen::Done(7)) })
            .await
            .unwrap();
        assert_eq!(found, 7);
    }
}
