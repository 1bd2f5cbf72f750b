//! `status`, and `watch` without a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use crate::arguments::{Output, Watch};
use crate::aws::{Aws, Ended};
use crate::failed::Failed;
use crate::looks::{Back, Looks};
use crate::page;
use crate::print;
use crate::rows::{rows, text};
use crate::view::View;

pub(crate) async fn status(aws: Aws, output: Output) -> Result<(), Failed> {
    let view = Looks::new(aws, Back::Last).look().await?;
    show(&view, output)
}

fn show(view: &View, output: Output) -> Result<(), Failed> {
    match output {
        Output::Json => print::json(view),
        Output::Text => {
            print::rows(&rows(view));
            Ok(())
        }
    }
}

pub(crate) async fn watch(aws: Aws, asked: Watch, output: Output) -> Result<(), Failed> {
    let every = Duration::from_secs(asked.pace.every);
    if asked.page {
        return page::serve(aws, every, asked.port).await;
    }
    if is_drawn(output) {
        return crate::watch::watch(aws, every, None).await.map(|_| ());
    }
    follow(aws, every, None, output).await.map(|_| ())
}

/// Shows what changes until the execution `until` has ended, and how it did; without one, until nothing is under way.
pub(super) async fn follow(
    aws: Aws,
    every: Duration,
    until: Option<&str>,
    output: Output,
) -> Result<Option<Ended>, Failed> {
    let mut looks = Looks::new(aws.clone(), Back::Last);
    let (mut report, mut failed) = (Report::new(output), 0);
    loop {
        match looks.look_until(until).await {
            Ok((view, ended)) => {
                failed = 0;
                report.show(&view)?;
                if ended.is_some() || (until.is_none() && view.is_quiet()) {
                    return Ok(ended);
                }
            }
            // Who has not seen anything yet is told at once.
            Err(trouble @ Failed::Aws { .. }) if !report.is_empty() && failed < MOST_FAILED => {
                failed += 1;
                eprintln!("ebbtide: the last look failed: {trouble}");
            }
            Err(other) => return Err(other),
        }
        tokio::time::sleep(every).await;
    }
}

/// Whether a person sits at a terminal that can be drawn on.
pub(super) fn is_drawn(output: Output) -> bool {
    output == Output::Text && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// Looks that may fail one after the other before the command gives up.
const MOST_FAILED: u32 = 30;

/// What was shown last: a report is worth its lines only when something has changed.
struct Report {
    output: Output,
    last: String,
}

impl Report {
    fn new(output: Output) -> Self {
        Self {
            output,
            last: String::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Shows the view, if it is another than the last one but for the clock.
    fn show(&mut self, view: &View) -> Result<(), Failed> {
        let words = words(view);
        if words == self.last {
            return Ok(());
        }
        if self.output == Output::Text && !self.last.is_empty() {
            print::line("");
        }
        self.last = words;
        show(view, self.output)
    }
}

/// What a view says, without what only time changes: the heading's clock, and how much is left.
fn words(view: &View) -> String {
    let mut still = view.clone();
    let deployments = still.front.iter_mut().chain(&mut still.retiring);
    for deployment in deployments {
        for bar in &mut deployment.bars {
            (bar.percent, bar.left_seconds) = (0, u64::from(bar.left_seconds > 0));
        }
        if let Some(stands) = &mut deployment.stands {
            stands.left_seconds = 0;
        }
        // States come and go within a pass.
        (deployment.acting.state, deployment.acting.since) = (None, None);
        deployment.acting.next_pass_at = None;
        if let Some(emptied) = &mut deployment.empties {
            emptied.at = view.at;
            for server in &mut emptied.servers {
                (server.unknown_seconds, server.oldest_busy_seconds) = (None, 0);
            }
            emptied.oldest_busy_seconds = 0;
        }
        deployment.acting.passes = 0;
    }
    let rows = rows(&still);
    rows.iter().skip(1).map(text).collect::<Vec<_>>().join("\n")
}
