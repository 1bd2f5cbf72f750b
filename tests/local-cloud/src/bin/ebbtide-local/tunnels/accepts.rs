//! When green accepted each client, and what that says of the pace.
//!
//! Owns the counting by seconds. Pure: moments come in, numbers go out.

use std::fmt;
use std::time::{Duration, Instant};

/// How far above the pace a second may be.
const TOLERANCE: f64 = 1.2;
const SECOND: Duration = Duration::from_secs(1);

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepts {
    accepted: Vec<Accept>,
    lost: usize,
}

#[derive(Clone, Copy, Debug)]
struct Accept {
    at: Instant,
    /// Since the tunnel's end on blue.
    way: Option<Duration>,
}

/// What the accepts say of the pace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    /// Accepts in each whole second since the first one; the last second is a part of one.
    pub(crate) seconds: Vec<usize>,
    /// Least, median and most in the whole seconds after the first; nothing if there are none.
    spread: Option<(usize, usize, usize)>,
    /// Which seconds after the first are above the tolerance, the last one included.
    pub(crate) above: Vec<usize>,
    /// The most in any stretch of a second that begins after the first one.
    most_in_any: usize,
    pace: f64,
}

impl Accepts {
    /// A client is on green, after a tunnel on blue that had ended at `left`.
    pub(crate) fn accepted(&mut self, left: Option<Instant>, at: Instant) {
        let way = left.map(|left| at - left);
        self.accepted.push(Accept { at, way });
    }

    /// What was accepted from this moment on.
    pub(crate) fn since(&self, moment: Instant) -> Self {
        let later = self.accepted.iter().filter(|accept| accept.at >= moment);
        Self {
            accepted: later.copied().collect(),
            lost: self.lost,
        }
    }

    pub(crate) fn lost_one(&mut self) {
        self.lost += 1;
    }

    /// How long clients were without a tunnel: median and longest.
    pub(crate) fn ways(&self) -> (Duration, Duration) {
        let ways = self.accepted.iter().filter_map(|accept| accept.way);
        let mut ways: Vec<Duration> = ways.collect();
        ways.sort_unstable();
        let at = |place: usize| ways.get(place).copied().unwrap_or_default();
        (at(ways.len() / 2), at(ways.len().saturating_sub(1)))
    }

    /// Tunnels that broke instead of being closed.
    pub(crate) fn lost(&self) -> usize {
        self.lost
    }

    /// How many seconds after the first accept this moment is; nothing if it is outside of what was measured.
    pub(crate) fn second_of(&self, moment: Instant) -> Option<f64> {
        let moments = || self.accepted.iter().map(|accept| accept.at);
        let (first, last) = moments().min().zip(moments().max())?;
        let within = moment >= first && moment <= last + SECOND;
        within.then(|| (moment - first).as_secs_f64())
    }

    pub(crate) fn judge(&self, pace: f64) -> Judged {
        let moments = self.accepted.iter().map(|accept| accept.at);
        let mut moments: Vec<Instant> = moments.collect();
        moments.sort_unstable();
        let since: Vec<Duration> = moments.iter().map(|at| *at - moments[0]).collect();
        let mut seconds = Vec::new();
        for at in &since {
            let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
            seconds.resize(seconds.len().max(second + 1), 0);
            seconds[second] += 1;
        }
        let after_first = seconds.get(1..).unwrap_or_default();
        let mut whole = after_first
            .split_last()
            .map_or(&[][..], |(_, whole)| whole)
            .to_vec();
        whole.sort_unstable();
        Judged {
            spread: whole
                .first()
                .zip(whole.last())
                .map(|(least, most)| (*least, whole[whole.len() / 2], *most)),
            above: (1..seconds.len())
                .filter(|second| is_above(seconds[*second], pace))
                .collect(),
            most_in_any: most_in_any(&since),
            seconds,
            pace,
        }
    }
}

impl Judged {
    /// Every second after the first kept to the pace.
    pub(crate) fn is_within(&self) -> bool {
        self.above.is_empty()
    }
}

fn most_in_any(since: &[Duration]) -> usize {
    let after_first = since.partition_point(|at| *at < SECOND);
    let later = &since[after_first..];
    let counts = later.iter().enumerate().map(|(from, begin)| {
        let end = *begin + SECOND;
        later.partition_point(|at| *at < end) - from
    });
    counts.max().unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn is_above(count: usize, pace: f64) -> bool {
    count as f64 > pace * TOLERANCE
}

impl fmt::Display for Judged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "accepts                       {}",
            self.seconds.iter().sum::<usize>()
        )?;
        writeln!(
            formatter,
            "seconds                       {}",
            self.seconds.len()
        )?;
        if let Some((least, median, most)) = self.spread {
            writeln!(
                formatter,
                "a second, after the first     min {least}  median {median}  max {most}"
            )?;
        }
        writeln!(
            formatter,
            "any stretch of one second     max {}",
            self.most_in_any
        )?;
        write!(
            formatter,
            "seconds above {TOLERANCE} x {:<3}       {}",
            self.pace,
            self.above.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(millis: &[u64]) -> Accepts {
        let begun = Instant::now();
        let mut accepts = Accepts::default();
        for at in millis {
            accepts.accepted(None, begun + Duration::from_millis(*at));
        }
        accepts
    }

    #[test]
    fn seconds_are_counted_from_the_first_accept() {
        let judged = accepts(&[500, 1499, 1500, 2600, 3600, 3700, 4600]).judge(2.0);
        assert_eq!(judged.seconds, [2, 1, 1, 2, 1]);
        assert_eq!(
            judged.spread,
            Some((1, 1, 2)),
            "without the first and the last"
        );
        assert!(judged.is_within());
    }

    #[test]
    fn a_second_above_the_tolerance_is_counted_unless_it_is_the_first() {
        assert!(accepts(&[0, 1, 2, 3, 1000]).judge(2.0).is_within());
        let judged = accepts(&[0, 1000, 1001, 1002, 2000]).judge(2.0);
        assert_eq!((judged.above.clone(), judged.is_within()), (vec![1], false));
    }

    #[test]
    fn what_was_accepted_later_is_judged_by_itself() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut accepts = Accepts::default();
        for (at, way) in [(0, 10), (1, 30), (2, 50), (3, 20)] {
            let at = begun + at * second;
            accepts.accepted(Some(at - Duration::from_millis(way)), at);
        }
        let later = accepts.since(begun + 2 * second);
        assert_eq!(later.judge(1.0).seconds, [1, 1]);
        let millis = Duration::from_millis;
        assert_eq!(later.ways(), (millis(50), millis(50)));
        assert_eq!(accepts.ways(), (millis(30), millis(50)));
    }

    #[test]
    fn a_burst_across_two_seconds_is_seen() {
        let judged = accepts(&[0, 1900, 1950, 2000, 2050]).judge(2.0);
        assert_eq!((judged.above.len(), judged.most_in_any), (0, 4));
    }

    #[test]
    fn nothing_accepted_is_nothing_above() {
        let judged = accepts(&[]).judge(2.0);
        assert_eq!(
            (judged.seconds.len(), judged.spread, judged.is_within()),
            (0, None, true)
        );
    }
}
