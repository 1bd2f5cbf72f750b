//! What is being waited for, in one sentence for the operator's eye: the numbers, and the worst of each kind by name.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Counts, Forecast, Question, Standing};
use crate::report::{SessionReport, brief};
use crate::service::Service;
use crate::wait::Stage;
use crate::weights::Repairs;

/// The sentence; "nothing" when the environment is empty.
pub(super) fn sentence(
    counts: &Counts,
    forecast: &Forecast,
    standings: &[(String, Standing)],
    question: &Question<'_>,
    now: Timestamp,
) -> String {
    let held: Vec<&SessionReport> = standings
        .iter()
        .filter_map(|(_, standing)| match standing {
            Standing::Held(report) => Some(report),
            Standing::Sealed(_) | Standing::Unknown(_) => None,
        })
        .collect();
    let parts: Vec<String> = [
        busy(&held),
        idle(&held),
        forecast.in_short(counts),
        stage(counts, question, now),
        question.service.and_then(Service::fails),
        question.repairs.and_then(Repairs::sentence),
        uncounted(question.stage(now), &held),
        unknown(counts, now),
        held_back(question),
        held_up(&question.retiring.held_up),
        ending(counts.sealed, "sealed", "to be terminated"),
        ending(
            question.retiring.waiting_to_end.len(),
            "terminating",
            "to end",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        "nothing".to_owned()
    } else {
        parts.join("; ")
    }
}

fn busy(held: &[&SessionReport]) -> Option<String> {
    let on: Vec<_> = held.iter().filter(|report| report.busy > 0).collect();
    let worst = on.iter().max_by_key(|report| report.busy)?;
    let sessions = on.iter().map(|report| report.busy).sum();
    Some(format!(
        "{} on {} ({}: {} busy, oldest {} s)",
        counted(sessions, "busy session"),
        counted(as_u64(on.len()), "server"),
        worst.instance,
        worst.busy,
        worst.oldest_busy_seconds,
    ))
}

fn idle(held: &[&SessionReport]) -> Option<String> {
    let on: Vec<_> = held.iter().filter(|report| report.idle > 0).collect();
    let worst = on.iter().max_by_key(|report| report.idle)?;
    let sessions = on.iter().map(|report| report.idle).sum();
    Some(format!(
        "{} on {} ({}: {} idle)",
        counted(sessions, "idle session"),
        counted(as_u64(on.len()), "server"),
        worst.instance,
        worst.idle,
    ))
}

/// Said only while there are servers: an environment that is gone already waits for no clock.
fn stage(counts: &Counts, question: &Question<'_>, now: Timestamp) -> Option<String> {
    if counts.servers == 0 {
        return None;
    }
    if let Some(ends_at) = question.step_ends_at {
        return Some(clock("the next step of traffic", Some(ends_at), now));
    }
    let stage = question.stage(now);
    if stage.baking {
        Some(clock("the bake", question.baked_at, now))
    } else if !stage.settled {
        Some(clock(
            "the load balancer to settle",
            question.settled_at,
            now,
        ))
    } else {
        None
    }
}

/// What has an end, and the end if it is known and still to come.
fn clock(what: &str, until: Option<Timestamp>, now: Timestamp) -> String {
    match until {
        Some(until) if until > now => format!("{what}, until {}", time(until, now)),
        _ => what.to_owned(),
    }
}

/// Servers that count no session and did not seal although they were asked.
fn uncounted(stage: Stage, held: &[&SessionReport]) -> Option<String> {
    if !stage.may_seal() {
        return None;
    }
    let mut empty = held.iter().filter(|report| report.counts_nothing());
    let first = empty.next()?;
    Some(format!(
        "{} in use by something that is no session ({})",
        counted(1 + as_u64(empty.count()), "server"),
        first.instance,
    ))
}

fn unknown(counts: &Counts, now: Timestamp) -> Option<String> {
    let longest = counts.unknown_servers.first()?;
    let (whose, them) = if counts.unknown == 1 {
        ("its", "it")
    } else {
        ("their", "them")
    };
    Some(format!(
        "{} unknown since {} ({}: {}): if {whose} loss is acceptable terminate {them} in EC2, the deployment goes on \
         by itself",
        counted(as_u64(counts.unknown), "server"),
        time(longest.since, now),
        longest.instance,
        longest.reason,
    ))
}

/// Servers that sealed and may not be ended, which a person has to look into.
fn held_back(question: &Question<'_>) -> Option<String> {
    let mut refused = question.held_back();
    let first = refused.next()?;
    Some(format!(
        "{} that may not be terminated ({}: {})",
        counted(1 + as_u64(refused.count()), "sealed server"),
        first.instance,
        brief(&first.reason),
    ))
}

/// Servers that their group is ending, or somebody else by it, which a hook keeps alive for a while.
fn held_up(instances: &[String]) -> Option<String> {
    let first = instances.first()?;
    Some(format!(
        "{} that something else is ending, and whose sessions only a hook keeps ({first}): see who resumed the group's \
         processes or changed its size",
        counted(as_u64(instances.len()), "server")
    ))
}

fn ending(servers: usize, which: &str, what: &str) -> Option<String> {
    (servers > 0).then(|| {
        format!(
            "{} {what}",
            counted(as_u64(servers), &format!("{which} server"))
        )
    })
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The time of day when it is of today, the date as well when not: a drain may last days.
fn time(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.to_zoned(TimeZone::UTC), now.to_zoned(TimeZone::UTC));
    if at.date() == now.date() {
        at.strftime("%H:%M:%S").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}
