//! What is said of a measurement, and whether it is as it should be.

use std::process::ExitCode;

use aws_sdk_sfn::types::ExecutionStatus;

use super::{Arguments, Measured};
use crate::tunnels::accepts::Accepts;

/// Prints everything; fails if an expectation is not met.
pub(super) fn tell(measured: &Measured, arguments: Arguments) -> ExitCode {
    let pace = f64::from(arguments.pace);
    println!(
        "\nthe deployment: {}, {:.1} s",
        measured.status,
        measured.took.as_secs_f64()
    );
    println!("\nidle tunnels to green:");
    accepts(&measured.idle, pace);
    println!("\ntunnels that were busy, to green:");
    accepts(&measured.formerly_busy, pace);
    println!("\nfrom the first tunnel to the end:\n{}", measured.usage);
    let expectations = expectations(measured, arguments);
    for (what, is_met) in &expectations {
        println!("{}  {what}", if *is_met { "ok    " } else { "NOT SO" });
    }
    let tallies = [&measured.ended_early, &measured.held, &measured.short];
    for reason in tallies.iter().flat_map(|tally| &tally.reasons) {
        println!("        {reason}");
    }
    if expectations.iter().all(|(_, is_met)| *is_met) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn accepts(accepts: &Accepts, pace: f64) {
    let (median, longest) = accepts.ways();
    println!("{}", accepts.judge(pace));
    println!(
        "a client without a tunnel     median {} ms  longest {} ms",
        median.as_millis(),
        longest.as_millis()
    );
}

fn expectations(measured: &Measured, arguments: Arguments) -> Vec<(String, bool)> {
    let (busy, pace) = (arguments.busy as usize, f64::from(arguments.pace));
    let (early, held, short) = (&measured.ended_early, &measured.held, &measured.short);
    let lost = measured.formerly_busy.lost();
    let above = [&measured.idle, &measured.formerly_busy]
        .map(|accepts| accepts.judge(pace).above.len())
        .iter()
        .sum::<usize>();
    vec![
        (
            format!("the execution succeeded: {}", measured.status),
            measured.status == ExecutionStatus::Succeeded,
        ),
        (
            format!(
                "every busy tunnel stayed on blue while it was busy: {} of {busy}",
                measured.busy_on_blue
            ),
            measured.busy_on_blue == busy && early.answered + early.failed == 0,
        ),
        (
            format!(
                "every held request was answered by its tunnel: {} of {busy}",
                held.answered
            ),
            held.answered == busy,
        ),
        (
            format!(
                "no short request failed: {} of {}",
                short.failed,
                short.answered + short.failed
            ),
            short.failed == 0 && short.answered > 0,
        ),
        (format!("no tunnel broke: {lost}"), lost == 0),
        (
            format!("no second, but the first, saw more than 1.2 x {pace} accepts: {above} did"),
            above == 0,
        ),
        (
            format!("blue is gone: {} instances are up", measured.blue_left),
            measured.blue_left == 0,
        ),
    ]
}
