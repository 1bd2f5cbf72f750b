//! What a drain costs by AWS's counting, and how late its end is noticed.

/// Rule 11 of the design: below the 25,000 at which AWS ends an execution.
pub(crate) const MOST_EVENTS: u64 = 24_000;

/// Entered, scheduled, started, succeeded, exited.
const EVENTS_OF_A_TASK: u64 = 5;
/// Failed, scheduled, started.
const EVENTS_OF_A_RETRY: u64 = 3;
/// Entered, exited.
const EVENTS_OF_A_CHOICE: u64 = 2;
/// Until the first pass: plan, claim, launching and testing green, the switch.
const EVENTS_BEFORE: u64 = 600;
/// A continuing execution: its start, its first choices, the hand-over at its end.
const EVENTS_OF_A_CONTINUATION: u64 = 40;

const DOLLARS_PER_TRANSITION: f64 = 25e-6;
const DOLLARS_PER_REQUEST: f64 = 0.2e-6;
const DOLLARS_PER_GB_SECOND: f64 = 0.000_016_666_7;
const DOLLARS_PER_WRITE_UNIT: f64 = 0.625e-6;
const GIGABYTES: f64 = 0.25;
/// The record's size in KB, each of which is a unit.
const UNITS_OF_A_WRITE: u64 = 4;

/// Counts as it goes.
#[derive(Debug)]
pub(crate) struct Bill {
    /// Events of each execution.
    events: Vec<u64>,
    passes: u64,
    transitions: u64,
    requests: u64,
    billed_millis: i64,
    write_units: u64,
    /// How late each server's end was noticed, in milliseconds.
    late: Vec<i64>,
    /// When it was over.
    ended: i64,
    /// How often an operator was called.
    pub(crate) failures: u64,
}

impl Bill {
    pub(crate) fn new() -> Self {
        Self {
            events: vec![EVENTS_BEFORE],
            passes: 0,
            transitions: EVENTS_BEFORE / EVENTS_OF_A_TASK,
            requests: 0,
            billed_millis: 0,
            write_units: 0,
            late: Vec::new(),
            ended: 0,
            failures: 0,
        }
    }

    pub(crate) fn lambda(&mut self, millis: i64) {
        self.count(EVENTS_OF_A_TASK);
        self.run(millis);
    }

    pub(crate) fn write(&mut self) {
        self.write_units += UNITS_OF_A_WRITE;
    }

    /// `millis` is what the failed attempt ran, 0 when it was no Lambda.
    pub(crate) fn retry(&mut self, millis: i64) {
        self.count(EVENTS_OF_A_RETRY);
        self.run(millis);
    }

    pub(crate) fn choice(&mut self) {
        self.count(EVENTS_OF_A_CHOICE);
    }

    pub(crate) fn pass(&mut self) {
        self.passes += 1;
    }

    pub(crate) fn continues(&mut self) {
        self.events.push(0);
        self.count(EVENTS_OF_A_CONTINUATION);
    }

    pub(crate) fn noticed(&mut self, late: i64) {
        self.late.push(late);
    }

    pub(crate) fn is_also_late_by(&mut self, other: &Self) {
        self.late.extend(&other.late);
    }

    pub(crate) fn ends(&mut self, millis: i64) {
        self.ended = millis;
    }

    pub(crate) fn longest_execution(&self) -> u64 {
        self.events.iter().copied().max().unwrap_or(0)
    }

    pub(crate) fn heading() -> String {
        "| drain | executions | passes | events in the longest | transitions | Lambda GB-s | dollars a day | noticed \
         late: worst | mean |\n|---|---|---|---|---|---|---|---|---|\n"
            .to_owned()
    }

    pub(crate) fn row(&self, name: &str) -> String {
        let worst = self.late.iter().copied().max().unwrap_or(0);
        let mean = self.late.iter().sum::<i64>() / self.late.len().max(1) as i64;
        format!(
            "| {name} | {} | {} | {} | {} | {:.0} | {:.2} | {} s | {} s |\n",
            self.events.len(),
            self.passes,
            self.longest_execution(),
            self.transitions,
            self.gigabyte_seconds(),
            self.dollars() / (self.ended as f64 / 86_400_000.0).max(1.0),
            worst / 1000,
            mean / 1000,
        )
    }

    fn run(&mut self, millis: i64) {
        self.requests += u64::from(millis > 0);
        self.billed_millis += millis;
    }

    fn count(&mut self, events: u64) {
        *self.events.last_mut().unwrap() += events;
        self.transitions += 1;
    }

    fn gigabyte_seconds(&self) -> f64 {
        self.billed_millis as f64 / 1000.0 * GIGABYTES
    }

    fn dollars(&self) -> f64 {
        self.transitions as f64 * DOLLARS_PER_TRANSITION
            + self.requests as f64 * DOLLARS_PER_REQUEST
            + self.gigabyte_seconds() * DOLLARS_PER_GB_SECOND
            + self.write_units as f64 * DOLLARS_PER_WRITE_UNIT
    }
}
