//! Blue's servers, simulated: sessions end by themselves or, when idle, by order; a server with none seals when asked.

use ebbtide_rules::drain::Order;
use ebbtide_rules::report::{Admission, Refusal, Reply, SessionReport};

/// An instance that was terminated is gone after so many milliseconds.
const SHUTTING_DOWN: i64 = 60_000;

/// One server; times are in milliseconds since the switch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server {
    pub(crate) instance: String,
    /// When its busy sessions end, last first.
    busy_until: Vec<i64>,
    idle: u64,
    closed: u64,
    /// Its order, until when it holds, and from when idle sessions are still to be closed by it.
    order: Option<(Order, i64, i64)>,
    epoch: u64,
    is_sealed: bool,
    /// When its last session ended.
    pub(crate) empty_since: i64,
    terminated: Option<i64>,
}

/// All of them.
#[derive(Debug, Clone)]
pub(crate) struct Blue {
    pub(crate) servers: Vec<Server>,
}

impl Blue {
    fn of(servers: usize, ends: impl Iterator<Item = (usize, i64)>) -> Self {
        let mut blue = Self {
            servers: vec![Server::default(); servers],
        };
        for (number, at) in ends {
            blue.servers[number % servers].busy_until.push(at);
        }
        for (number, server) in blue.servers.iter_mut().enumerate() {
            server.instance = format!("i-{number:017x}");
            server.busy_until.sort_unstable_by(|a, b| b.cmp(a));
        }
        blue
    }

    /// Sessions that end one after the other, the last at `until`.
    pub(crate) fn steady(servers: usize, sessions: i64, until: i64) -> Self {
        let ends = (1..=sessions).map(|number| (number as usize, until * number / sessions));
        Self::of(servers, ends)
    }

    /// The same in so many bursts, each on another server.
    pub(crate) fn bursts(servers: usize, sessions: i64, bursts: i64, until: i64) -> Self {
        let ends = (0..sessions).map(|number| {
            let burst = 1 + number % bursts;
            (burst as usize, until * burst / bursts + number / bursts)
        });
        Self::of(servers, ends)
    }

    /// One busy session until then; every server has idle ones.
    pub(crate) fn one_long(servers: usize, idle: u64, until: i64) -> Self {
        let mut blue = Self::of(servers, std::iter::once((0, until)));
        for server in &mut blue.servers {
            server.idle = idle / servers as u64;
        }
        blue
    }

    pub(crate) fn advance(&mut self, now: i64) {
        for server in &mut self.servers {
            server.advance(now);
        }
    }

    /// Those that EC2 neither ends nor calls terminated.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Server> {
        self.servers
            .iter()
            .filter(|server| server.terminated.is_none())
    }

    pub(crate) fn server(&mut self, instance: &str) -> &mut Server {
        let mut servers = self.servers.iter_mut();
        servers.find(|server| server.instance == instance).unwrap()
    }

    pub(crate) fn ending(&self, now: i64) -> Vec<String> {
        self.terminated(|at| now < at + SHUTTING_DOWN)
    }

    pub(crate) fn gone(&self, now: i64) -> Vec<String> {
        self.terminated(|at| now >= at + SHUTTING_DOWN)
    }

    fn terminated(&self, when: impl Fn(i64) -> bool) -> Vec<String> {
        self.servers
            .iter()
            .filter(|server| server.terminated.is_some_and(&when))
            .map(|server| server.instance.clone())
            .collect()
    }
}

impl Server {
    fn advance(&mut self, now: i64) {
        while self.busy_until.last().is_some_and(|until| *until <= now) {
            self.empty_since = self.busy_until.pop().unwrap_or(0).max(self.empty_since);
        }
        let Some((order, until, from)) = &mut self.order else {
            return;
        };
        let slot = (1000.0 / order.per_second).ceil() as i64;
        while self.idle > 0 && *from + slot <= now.min(*until) {
            *from += slot;
            self.idle -= 1;
            self.closed += 1;
            self.empty_since = self.empty_since.max(*from);
        }
    }

    pub(crate) fn report(&self) -> SessionReport {
        let busy = self.busy_until.len() as u64;
        SessionReport {
            instance: self.instance.clone(),
            admission: match (self.is_sealed, &self.order) {
                (true, _) => Admission::Sealed,
                (false, Some(_)) => Admission::Draining,
                (false, None) => Admission::Open,
            },
            epoch: self.epoch,
            busy,
            idle: self.idle,
            closed: self.closed,
            oldest_busy_seconds: busy.min(1) * 431,
            agent: false,
        }
    }

    /// The newest order replaces the one before, which must not have lapsed meanwhile.
    pub(crate) fn drain(&mut self, order: Order, epoch: u64, now: i64) -> Reply {
        let until = now + i64::try_from(order.lease_seconds).unwrap() * 1000;
        let from = match &self.order {
            Some((_, lapses, from)) => {
                assert!(
                    *lapses >= now,
                    "{}'s order lapsed before it was renewed",
                    self.instance
                );
                if self.idle > 0 { *from } else { now }
            }
            None => now,
        };
        self.order = Some((order, until, from));
        self.epoch = epoch;
        Reply::Report(self.report())
    }

    /// Its order ended because nobody renewed it.
    pub(crate) fn lapse(&mut self) {
        self.order = None;
    }

    pub(crate) fn seal(&mut self, epoch: u64) -> Reply {
        if !self.report().counts_nothing() {
            return Reply::Refused(Refusal::InUse, self.report());
        }
        self.is_sealed = true;
        self.epoch = epoch;
        Reply::Report(self.report())
    }

    pub(crate) fn terminate(&mut self, now: i64) {
        assert!(self.is_sealed && self.report().counts_nothing());
        self.terminated = Some(now);
    }
}
