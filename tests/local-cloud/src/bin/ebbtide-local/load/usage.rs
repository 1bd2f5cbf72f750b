//! Processor time and memory of everything that a local cloud runs, by what it is.
//!
//! Looks at the processes that carry the cloud's mark, several times a second: a process that lives shorter than that is
//! not seen, and of one that ended, what was seen last counts. Linux only, as the local cloud is.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ebbtide_local_cloud::program::MARK;
use procfs::process::{Process, all_processes};
use tokio_util::task::AbortOnDropHandle;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a process is a part of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Server,
    LoadBalancer,
    Function(String),
    Emulators,
    Measuring,
}

/// What was seen of one process.
#[derive(Clone, Debug)]
struct Seen {
    part: Part,
    /// Processor time that it had used when it was seen first; none if it started since.
    ticks_before: u64,
    ticks: u64,
    peak_kib: u64,
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Usage {
    seen: Arc<Mutex<Processes>>,
    _looking: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Processes {
    mark: PathBuf,
    /// `None` for a process that is none of the cloud's. Pids may be used again, so with the start time.
    by_pid: BTreeMap<(i32, u64), Option<Seen>>,
    is_first_look: bool,
}

/// Everything that is one part of the cloud.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sum {
    processes: usize,
    ticks: u64,
    /// The most that one process had in memory, and the sum over all of them, each at its own worst moment.
    peak_kib: u64,
    peaks_kib: u64,
}

impl Usage {
    /// Begins to look at the processes of the cloud in this directory, and at this one.
    pub(super) fn start(directory: &Path) -> Self {
        let seen = Arc::new(Mutex::new(Processes {
            mark: directory.to_owned(),
            by_pid: BTreeMap::new(),
            is_first_look: true,
        }));
        let looked = seen.clone();
        let looking = async move {
            let mut ticks = tokio::time::interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let looked = looked.clone();
                let look = move || lock(&looked).look();
                // Hundreds of small files: not on a thread that tunnels wait for.
                let _ = tokio::task::spawn_blocking(look).await;
            }
        };
        Self {
            seen,
            _looking: AbortOnDropHandle::new(tokio::spawn(looking)),
        }
    }

    /// What was used until now, a line for each part.
    pub(super) fn table(&self) -> Table {
        Table(lock(&self.seen).sums())
    }
}

fn lock(seen: &Mutex<Processes>) -> std::sync::MutexGuard<'_, Processes> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Processes {
    fn look(&mut self) {
        // A process that ends while it is looked at is one that was not seen this time.
        for process in all_processes().into_iter().flatten().flatten() {
            let Ok(stat) = process.stat() else { continue };
            let (mark, is_first_look) = (&self.mark, self.is_first_look);
            let ticks = stat.utime + stat.stime;
            let known = self
                .by_pid
                .entry((stat.pid, stat.starttime))
                .or_insert_with(|| {
                    part_of(&process, mark).map(|part| Seen {
                        part,
                        ticks_before: if is_first_look { ticks } else { 0 },
                        ticks,
                        peak_kib: 0,
                    })
                });
            if let Some(seen) = known {
                seen.ticks = seen.ticks.max(ticks);
                let peak = process.status().ok().and_then(|status| status.vmhwm);
                seen.peak_kib = seen.peak_kib.max(peak.unwrap_or(0));
            }
        }
        self.is_first_look = false;
    }

    fn sums(&self) -> BTreeMap<Part, Sum> {
        let mut sums = BTreeMap::<Part, Sum>::new();
        for seen in self.by_pid.values().flatten() {
            let sum = sums.entry(seen.part.clone()).or_default();
            sum.processes += 1;
            sum.ticks += seen.ticks - seen.ticks_before;
            sum.peak_kib = sum.peak_kib.max(seen.peak_kib);
            sum.peaks_kib += seen.peak_kib;
        }
        sums
    }
}

fn part_of(process: &Process, mark: &Path) -> Option<Part> {
    if u32::try_from(process.pid) == Ok(std::process::id()) {
        return Some(Part::Measuring);
    }
    let environment = process.environ().ok()?;
    let is = |name: &str| environment.get(OsStr::new(name));
    if is(MARK).map(Path::new) != Some(mark) {
        return None;
    }
    let arguments = process.cmdline().ok()?;
    let program = Path::new(arguments.first()?).file_name()?.to_str()?;
    Some(match (program, is("AWS_LAMBDA_FUNCTION_NAME")) {
        (_, Some(function)) => Part::Function(function.to_string_lossy().into_owned()),
        ("tunnel-server", _) => Part::Server,
        ("ebbtide-local", _) => Part::LoadBalancer,
        _ => Part::Emulators,
    })
}

/// The parts, and what each used.
#[derive(Clone, Debug)]
pub(super) struct Table(BTreeMap<Part, Sum>);

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{:<34}{:>10}{:>16}{:>14}{:>14}",
            "", "processes", "processor time", "memory, most", "memory, all"
        )?;
        let mebibytes = |kib: u64| format!("{} MiB", kib.div_ceil(1024));
        for (part, sum) in &self.0 {
            writeln!(
                formatter,
                "{:<34}{:>10}{:>16}{:>14}{:>14}",
                part.to_string(),
                sum.processes,
                format!("{:.2} s", seconds(sum.ticks)),
                mebibytes(sum.peak_kib),
                mebibytes(sum.peaks_kib),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => formatter.write_str("tunnel server"),
            Self::LoadBalancer => formatter.write_str("load balancer"),
            Self::Function(name) => write!(formatter, "function {name}"),
            Self::Emulators => formatter.write_str("emulators"),
            Self::Measuring => formatter.write_str("the clients (this process)"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^53")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / procfs::ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_with_what_it_used_since() {
        let mut processes = Processes {
            mark: PathBuf::from("/nowhere"),
            by_pid: BTreeMap::new(),
            is_first_look: true,
        };
        processes.look();
        let sums = processes.sums();
        assert_eq!(sums.keys().collect::<Vec<_>>(), [&Part::Measuring]);
        assert_eq!(sums[&Part::Measuring].ticks, 0, "only what was used since");
        assert!(sums[&Part::Measuring].peak_kib > 0);
    }
}
