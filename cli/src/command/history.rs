//! `history`: how deployments ended.

use ebbtide_rules::record::OutcomeItem;

use crate::arguments::Output;
use crate::aws::Aws;
use crate::failed::Failed;
use crate::print;
use crate::view::span;

pub(crate) async fn history(aws: &Aws, limit: usize, output: Output) -> Result<(), Failed> {
    let mut outcomes = aws.outcomes().await?;
    outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.ended_at));
    outcomes.truncate(limit);
    if output == Output::Json {
        return print::json(&outcomes);
    }
    if outcomes.is_empty() {
        print::line("no deployment has ended yet");
    }
    for outcome in &outcomes {
        for line in lines(outcome) {
            print::line(&line);
        }
    }
    Ok(())
}

fn lines(outcome: &OutcomeItem) -> Vec<String> {
    let took = span(u64::try_from(outcome.seconds).unwrap_or(0));
    let mut lines = vec![format!(
        "{:.0}  {:<13}  {}  took {took}, {} passes, {} sessions moved, {} servers ended",
        outcome.ended_at,
        outcome.outcome,
        outcome.deployment,
        outcome.passes,
        outcome.closed,
        outcome.terminated,
    )];
    if outcome.outcome != "Promoted" {
        lines.push(format!("    {}", outcome.reason));
    }
    lines
}
