//! The pace of a whole environment: several servers that know nothing of each other, ordered anew in every pass.
//!
//! Simulated millisecond by millisecond, with timers, orders and clients late by chance. The split is `drain-idle`'s.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(62);
/// Passes of a drain in which something changes all the time.
const PASS: Duration = Duration::from_secs(2);
/// An order reaches one server this much later than another, at most.
const ORDER_LATE: Duration = Duration::from_millis(20);
const TIMER_LATE: Duration = Duration::from_millis(10);
/// From a closure to the new handshake, when clients come back at once.
const ROUND_TRIP: Duration = Duration::from_millis(10);

/// How many more than the pace any second may see.
const TOLERANCE: f64 = 1.2;

struct Server {
    idle: u64,
    order: Option<Standing>,
    phase: f64,
    /// Its report is not to be had.
    unknown: bool,
    /// The order on its way, and when it is there.
    coming: Option<(Instant, f64)>,
    /// When its timer ends.
    look: Instant,
}

struct Environment {
    servers: Vec<Server>,
    pace: f64,
    now: Instant,
    begun: Instant,
    random: StdRng,
    closures: Vec<Duration>,
}

impl Environment {
    fn new(idle: &[u64], phases: &[f64], pace: f64, seed: u64) -> Self {
        let now = Instant::now();
        let servers = idle.iter().zip(phases).map(|(idle, phase)| Server {
            idle: *idle,
            order: None,
            phase: *phase,
            unknown: false,
            coming: None,
            look: now,
        });
        Self {
            servers: servers.collect(),
            pace,
            now,
            begun: now,
            random: StdRng::seed_from_u64(seed),
            closures: Vec::new(),
        }
    }

    /// One pass of the deployment, and the time until the next.
    fn pass(&mut self) {
        let weight = |server: &Server| server.idle as f64 + 1.0;
        let known = |server: &&Server| !server.unknown;
        let whole: f64 = self.servers.iter().filter(known).map(weight).sum();
        for server in self.servers.iter_mut().filter(|server| !server.unknown) {
            let late = late(&mut self.random, ORDER_LATE);
            server.coming = Some((self.now + late, self.pace * weight(server) / whole));
        }
        let next = self.now + PASS;
        while self.now < next {
            for server in &mut self.servers {
                if server.step(self.now, &mut self.random) {
                    self.closures.push(self.now - self.begun);
                }
            }
            self.now += Duration::from_millis(1);
        }
    }

    fn idle(&self) -> u64 {
        self.servers.iter().map(|server| server.idle).sum()
    }

    /// When green has accepted each client that was sent away.
    fn accepts(&mut self) -> Vec<Duration> {
        let mut accepts: Vec<Duration> = self
            .closures
            .iter()
            .map(|closed| *closed + late(&mut self.random, ROUND_TRIP))
            .collect();
        accepts.sort();
        accepts
    }
}

impl Server {
    /// What `Drain` does at this moment; true if a session was closed.
    fn step(&mut self, now: Instant, random: &mut StdRng) -> bool {
        if let Some((_, per_second)) = self.coming.take_if(|(at, _)| *at <= now) {
            let order = Standing::given(self.order, per_second, LEASE, self.phase, now);
            self.order = Some(order);
            self.look = now;
        }
        let Some(order) = self.order.as_mut().filter(|_| now >= self.look) else {
            return false;
        };
        match order.allows(now) {
            Allows::Close if self.idle > 0 => {
                order.close(now);
                self.idle -= 1;
                true
            }
            Allows::Wait(until) => {
                self.look = until + late(random, TIMER_LATE);
                false
            }
            Allows::Close | Allows::Nothing => false,
        }
    }
}

fn late(random: &mut StdRng, most: Duration) -> Duration {
    most.mul_f64(random.random())
}

/// The most that any stretch of one second saw.
fn most_in_a_second(moments: &[Duration]) -> usize {
    let counts = moments.iter().enumerate().map(|(first, from)| {
        let within = moments[first..]
            .iter()
            .take_while(|at| **at < *from + SECOND);
        within.count()
    });
    counts.max().unwrap_or(0)
}

#[test]
fn five_thousand_idle_sessions_on_three_servers_move_at_a_hundred_a_second() {
    let mut blue = Environment::new(&[3000, 1500, 500], &[0.0; 3], 100.0, 1);
    while blue.idle() > 0 {
        blue.pass();
    }
    let took = *blue.closures.last().unwrap();
    assert!(took >= SECOND * 48 && took <= SECOND * 53, "{took:?}");
    let most = most_in_a_second(&blue.closures);
    assert!(
        most <= 104,
        "a hundred, three servers and 1 % of lateness: {most}"
    );
    let most = most_in_a_second(&blue.accepts());
    assert!(most <= 105, "{most}");
}

#[test]
fn slots_of_many_servers_stay_apart_when_one_drops_out_and_the_pace_of_the_others_rises() {
    // Two hundred servers share two sessions a second while one has eighteen; then nobody can ask that one.
    let mut idle = vec![10; 200];
    idle.push(18_000);
    let phases: Vec<f64> = (0..201)
        .map(|n| (f64::from(n) * 0.618_034).fract())
        .collect();
    let mut blue = Environment::new(&idle, &phases, 20.0, 2);
    for _ in 0..5 {
        blue.pass();
    }
    let big = blue.servers.last_mut().unwrap();
    (big.unknown, big.idle) = (true, 0);
    for _ in 0..15 {
        blue.pass();
    }
    // Chance may put a few more into a second; in step, they would be two hundred.
    let most = most_in_a_second(&blue.closures);
    assert!(most < 40, "{most}");
    assert!(blue.closures.len() > 700, "{}", blue.closures.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_second_sees_more_than_a_fifth_above_the_pace(
        idle in proptest::collection::vec(0_u64..3000, 3),
        phases in proptest::collection::vec(0.0..1.0, 3),
        // What becomes idle before a pass, and on which server.
        released in proptest::collection::vec((0_u64..400, 0_usize..3), 12),
        pace in 20.0..300.0,
        seed: u64,
    ) {
        let mut blue = Environment::new(&idle, &phases, pace, seed);
        for (sessions, server) in released {
            blue.servers[server].idle += sessions;
            blue.pass();
        }
        let closed = most_in_a_second(&blue.closures);
        prop_assert!(closed as f64 <= pace * TOLERANCE, "{closed} closures at a pace of {pace}");
        let accepted = most_in_a_second(&blue.accepts());
        prop_assert!(accepted as f64 <= pace * TOLERANCE, "{accepted} accepts at a pace of {pace}");
    }
}
