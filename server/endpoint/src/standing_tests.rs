//! Slots, phase and lease of one order.

use super::*;

const LEASE: Duration = Duration::from_secs(60);

fn closures(order: &mut Standing, from: Instant, step: Duration, steps: u32) -> Vec<Duration> {
    let mut closed = Vec::new();
    for n in 0..steps {
        let now = from + step * n;
        if order.allows(now) == Allows::Close {
            order.close(now);
            closed.push(now - from);
        }
    }
    closed
}

#[test]
fn sessions_are_closed_in_equal_slots() {
    let now = Instant::now();
    let mut order = Standing::given(None, 20.0, LEASE, 0.0, now);
    let closed = closures(&mut order, now, Duration::from_millis(1), 1000);
    assert_eq!(closed.len(), 20);
    assert!(
        closed
            .windows(2)
            .all(|pair| pair[1] - pair[0] == Duration::from_millis(50)),
        "{closed:?}"
    );
}

#[test]
fn late_timers_do_not_slow_the_pace() {
    let now = Instant::now();
    let mut order = Standing::given(None, 20.0, LEASE, 0.0, now);
    // 7 ms apart: most slots are met some milliseconds late.
    let closed = closures(&mut order, now, Duration::from_millis(7), 143);
    assert_eq!(closed.len(), 20, "{closed:?}");
}

#[test]
fn a_quiet_time_is_not_followed_by_a_burst() {
    let now = Instant::now();
    let mut order = Standing::given(None, 10.0, LEASE, 0.0, now);
    order.close(now);
    let later = now + Duration::from_secs(10);
    let closed = closures(&mut order, later, Duration::from_millis(1), 500);
    assert!(closed.len() <= 6, "{closed:?}");
}

#[test]
fn a_repeat_changes_nothing_but_the_lease() {
    let now = Instant::now();
    let mut order = Standing::given(None, 0.1, LEASE, 0.0, now);
    order.close(now);
    let second = Duration::from_secs(1);
    let repeated = Standing::given(Some(order), 0.1, LEASE, 0.0, now + second);
    assert_eq!(
        repeated.allows(now + second),
        Allows::Wait(now + second * 10)
    );
    assert_eq!(repeated.until, now + second + LEASE);
    assert_eq!(
        Standing {
            until: order.until,
            ..repeated
        },
        order
    );
}

#[test]
fn a_new_pace_leaves_of_the_slot_what_was_left() {
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let mut order = Standing::given(None, 0.1, LEASE, 0.0, now);
    order.close(now);
    let halfway = now + second * 5;
    let faster = Standing::given(Some(order), 2.0, LEASE, 0.0, halfway);
    assert_eq!(
        faster.allows(halfway),
        Allows::Wait(halfway + Duration::from_millis(250))
    );
    let slower = Standing::given(Some(order), 0.05, LEASE, 0.0, halfway);
    assert_eq!(slower.allows(halfway), Allows::Wait(halfway + second * 10));
    let overdue = now + second * 30;
    let again = Standing::given(Some(order), 0.2, LEASE, 0.0, overdue);
    assert_eq!(again.allows(overdue), Allows::Close);
}

#[test]
fn the_first_slot_begins_at_its_phase_whatever_is_ordered_meanwhile() {
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let order = Standing::given(None, 0.1, LEASE, 0.7, now);
    assert_eq!(order.allows(now), Allows::Wait(now + second * 7));
    let repeated = Standing::given(Some(order), 0.1, LEASE, 0.0, now + second);
    assert_eq!(
        repeated.allows(now + second),
        Allows::Wait(now + second * 7)
    );
    let faster = Standing::given(Some(order), 0.2, LEASE, 0.0, now + second);
    assert_eq!(faster.allows(now + second), Allows::Wait(now + second * 4));
}

#[test]
fn nothing_is_allowed_once_the_lease_has_ended() {
    let now = Instant::now();
    let order = Standing::given(None, 20.0, LEASE, 0.0, now);
    assert_eq!(order.allows(now + LEASE), Allows::Nothing);
    assert_eq!(
        order.allows(now + LEASE - Duration::from_millis(1)),
        Allows::Close
    );
}

#[test]
fn extreme_paces_do_not_overflow() {
    let now = Instant::now();
    for per_second in [f64::MIN_POSITIVE, 1e-300, 1e300] {
        let mut order = Standing::given(None, per_second, LEASE, 0.0, now);
        order.close(now);
        assert_ne!(order.allows(now), Allows::Nothing);
    }
}
