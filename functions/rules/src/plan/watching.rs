//! The watching of steps and bake: how many passes it takes, and whether its alarms are fast enough.
//!
//! Only the drain goes on in another execution, so what is watched must fit into one history. Counts the worst case:
//! something changes at every pass and no pass takes any time. Called by the preflight.

use super::Policy;
use crate::wait::SHORTEST_SECONDS;

/// For how long a metric has to be bad before its alarm fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmSpan {
    /// The alarm's name.
    pub name: String,
    /// So many seconds; CloudWatch takes a minute or two more.
    pub seconds: u32,
}

/// Warns of alarms that would fire when the bake is over: green's faults would be seen too late for a rollback.
pub(super) fn slow(alarms: &[AlarmSpan], policy: &Policy) -> Vec<String> {
    let bake = policy.bake_seconds;
    let slow = alarms.iter().filter(|alarm| alarm.seconds >= bake);
    slow.map(|AlarmSpan { name, seconds }| {
        format!(
            "alarm {name} fires after {seconds} s of bad data, and the bake takes {bake} s: it comes too late to roll \
             back, make the bake longer or the alarm faster"
        )
    })
    .collect()
}

/// What the names of the service's own alarms begin with, those of `observability.yaml`. No other service's do: a service's
/// name has no slash.
pub fn alarm_prefix(service: &str) -> String {
    format!("ebbtide/{service}/")
}

/// Warns of the service's own alarms that fire already. One that is watched refuses the claim, and says so there.
pub(super) fn firing(firing: &[String], policy: &Policy) -> Vec<String> {
    let unwatched = firing.iter().filter(|name| !policy.alarms.contains(name));
    unwatched
        .map(|name| {
            format!(
                "alarm {name} is in state ALARM already: it stops nothing, because bake.alarms does not name it; its \
                 description says what to do"
            )
        })
        .collect()
}

/// The most passes that steps and bake can take.
pub(super) fn passes(policy: &Policy) -> u64 {
    let (poll, step) = (policy.poll_seconds, policy.step_seconds);
    let steps = policy.steps.len().saturating_sub(1) as u64;
    // A step ends with the pass that finds it over, and so does the bake; one more comes at the end of settling, which
    // no wait sleeps through.
    let of_steps = steps * (within(0, step, poll) + 1);
    of_steps + within(policy.settle_seconds, policy.bake_seconds, poll) + 2
}

/// The passes within `seconds`, when waits grow from `grows_after` on: each is at least a fiftieth of the time since
/// then (`wait`'s rule, since the load balancer settled or since a step's weights were set).
fn within(grows_after: u32, seconds: u32, poll_seconds: u32) -> u64 {
    let longest = u64::from(poll_seconds).max(SHORTEST_SECONDS);
    let (mut elapsed, mut passes) = (0_u64, 0_u64);
    while elapsed < u64::from(seconds) {
        let floor = elapsed.saturating_sub(u64::from(grows_after)) / 50;
        elapsed += floor.max(SHORTEST_SECONDS).min(longest);
        passes += 1;
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(steps: &[u32], step_seconds: u32, bake_seconds: u32, poll_seconds: u32) -> Policy {
        Policy {
            steps: steps.to_vec(),
            step_seconds,
            bake_seconds,
            poll_seconds,
            settle_seconds: 30,
            ..Policy::default()
        }
    }

    #[test]
    fn an_alarm_that_fires_after_the_bake_is_warned_of() {
        let alarm = |name: &str, seconds| AlarmSpan {
            name: name.to_owned(),
            seconds,
        };
        let alarms = [alarm("fast", 599), alarm("slow", 600)];
        let warned = slow(&alarms, &policy(&[100], 0, 600, 30));
        assert_eq!(
            warned,
            [
                "alarm slow fires after 600 s of bad data, and the bake takes 600 s: it comes too late to roll back, make \
                 the bake longer or the alarm faster"
            ]
        );
    }

    #[test]
    fn an_alarm_that_fires_already_is_told_unless_it_would_refuse() {
        let watched = Policy {
            alarms: vec!["ebbtide/tunnel/watched".to_owned()],
            ..policy(&[100], 0, 600, 30)
        };
        let seen = ["ebbtide/tunnel/server-unknown", "ebbtide/tunnel/watched"];
        let told = firing(&seen.map(str::to_owned), &watched);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("alarm ebbtide/tunnel/server-unknown is in state ALARM"));
        assert_eq!(firing(&[], &watched), Vec::<String>::new());
    }

    #[test]
    fn each_part_is_counted() {
        let cases = [
            // 0, 2, 4, 6 and 8 s, the end of settling and the end of the bake.
            (policy(&[100], 60, 10, 30), 7),
            (policy(&[100], 60, 0, 30), 2),
            // A step of a minute: 30 passes and the one that ends it.
            (policy(&[50, 100], 60, 0, 30), 33),
            (policy(&[10, 50, 100], 60, 10, 30), 69),
            (policy(&[100], 60, 10, 2), 7),
            // Waits grow by one second every 50 s from 130 s on.
            (policy(&[100], 0, 900, 30), 188),
        ];
        for (policy, expected) in cases {
            assert_eq!(passes(&policy), expected, "{policy:?}");
        }
    }

    #[test]
    fn long_steps_are_possible_and_a_week_of_bake_is_not() {
        assert!(passes(&policy(&[10, 100], 3600, 900, 300)) <= 500);
        assert!(passes(&policy(&[100], 0, 604_800, 300)) > 600);
    }

    #[test]
    fn no_wait_grows_before_the_load_balancer_settled() {
        let slow = Policy {
            settle_seconds: 900,
            ..policy(&[100], 0, 900, 30)
        };
        assert_eq!(passes(&slow), 452);
        assert!(passes(&policy(&[100], 0, 900, 30)) < 200);
    }

    proptest::proptest! {
        /// The schedule that the wait rule itself makes, with passes that take time, never has more passes.
        #[test]
        fn never_too_few(settle in 1_u32..400, bake in 0_u32..2000, poll in 2_u32..=300, late in 0_u64..5) {
            use jiff::{SignedDuration, Timestamp};
            let at = |seconds: u64| Timestamp::UNIX_EPOCH
                + SignedDuration::from_secs(i64::try_from(seconds).unwrap());
            let policy = Policy { settle_seconds: settle, ..policy(&[100], 0, bake, poll) };
            let (mut elapsed, mut made) = (0, 1);
            while elapsed < u64::from(bake) {
                let now = at(elapsed);
                let wait = crate::wait::seconds(now, now, Some(at(u64::from(settle))), u64::from(poll));
                let wait = crate::wait::until(wait, now, Some(at(u64::from(settle))));
                let wait = crate::wait::until(wait, now, Some(at(u64::from(bake))));
                proptest::prop_assert!(wait >= SHORTEST_SECONDS, "time stands still");
                elapsed += wait + late;
                made += 1;
            }
            proptest::prop_assert!(made <= passes(&policy));
        }
    }
}
