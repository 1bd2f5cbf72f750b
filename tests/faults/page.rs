//! The page `docs/fault-matrix.md`: the same words for the same code, so that a run that finds nothing new leaves no
//! difference. No times, no names that change.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::made::made;
use crate::matrix::{Cell, Fault, Outcome, Stage};
use crate::plan::Entry;
use crate::table::shown;
use crate::trial::Verdict;

const HEAD: &str = "\
# The fault matrix

Every fault meets every stage of a deployment, on the local cloud: the template and the state machine that ship, the
functions, real server processes, WebSocket tunnels. `make test-faults` runs it, prints this matrix, and writes this page
when every cell has ended as the design demands. Nobody edits it.

## The matrix

Stages across, faults down. `–` is a cell that cannot be; its reason is below.

";

const HELD: &str = "
## What held in every cell

- A session that was busy on blue before the fault had its request in flight until its user left, or to the end.
- Users came through the load balancer all the time, and none was turned away by a server that drains or has sealed; groups
  with weight kept the minimum of healthy targets, but for servers that the fault itself had struck. One cell is otherwise: a
  call that gives green all weight arrives in a rollback, or after its end. AWS offers no fence and obeys it: green, which is
  being drained, or has no servers any more, turns new users away until the operator has moved the weights back.
- Every instance that a deployment ended had sealed, by the state file that the server writes before it acknowledges the
  seal; or its group had never had weight.
- At the end the service was free, or what blocked it was named.

A word is derived from the executions' histories and the world as it was found (that of a late call: from the world before
and after it), and then compared with the word that the design demands.
";

const GATES: &str = "
## How a fault meets a stage

A deployment waits at a *gate* before the stage's first Task (three more states in the definition, which hand the document
on as it came) until the fault is made, and is then let through. The rest of the definition is as deployed.
The emulator has no RedriveExecution: a redrive is an execution of the same definition from the state that had stopped, with
the input that the history shows.

| fault | how it is made, and by what it is known to have struck |
| --- | --- |
";

const NOT_COVERED: &str = "
## What is not covered

- Two faults at once, and every order of events: the [model](proof.md) tries those, without a real server.
- IAM, the timing of real load balancers, and whatever else the [README](../README.md) says of the local cloud.
- Throttling and denial of what Step Functions itself calls: DynamoDB, CloudWatch, SNS. The emulator does those in its own
  process. The definition's Retry names the errors; that each Task survives a failure, before and after its effect, is tried
  by the scenarios, those of take-overs and detached drains among them.
- A stage's other Tasks: a gate stands before the first. Faults within a stage are the rows of functions that die and of
  calls that are lost or late.
- Faults that the design does not promise to survive: a server that acknowledges a seal which it does not keep.
";

/// Writes it.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(
    entries: &BTreeMap<Cell, Entry>,
    verdicts: &BTreeMap<Cell, Verdict>,
) -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fault-matrix.md");
    std::fs::write(path, text(entries, verdicts))
}

fn text(entries: &BTreeMap<Cell, Entry>, verdicts: &BTreeMap<Cell, Verdict>) -> String {
    [
        HEAD,
        &matrix(entries, verdicts),
        &words(),
        &impossible(entries),
        HELD,
        GATES,
        &makings(),
        NOT_COVERED,
    ]
    .concat()
}

fn matrix(entries: &BTreeMap<Cell, Entry>, verdicts: &BTreeMap<Cell, Verdict>) -> String {
    let head = Stage::ALL.map(|stage| stage.name().to_owned());
    let rule = Stage::ALL.map(|_| "---".to_owned());
    let mut rows = vec![row("", &head), row("---", &rule)];
    for fault in Fault::ALL {
        let cells = Stage::ALL.map(|stage| {
            let cell = Cell { fault, stage };
            let entry = entries.get(&cell).copied().unwrap_or(Entry::Missing);
            shown(entry, verdicts.get(&cell))
        });
        rows.push(row(fault.title(), &cells));
    }
    rows.concat()
}

fn row(head: &str, cells: &[String]) -> String {
    format!("| {head} | {} |\n", cells.join(" | "))
}

fn words() -> String {
    let mut text = "\n## The words\n\n| word | the deployment |\n| --- | --- |\n".to_owned();
    for outcome in Outcome::ALL {
        text.push_str(&format!("| {outcome} | {} |\n", outcome.meaning()));
    }
    text
}

/// One line for each reason: faults that cannot be at the same stages, for the same reason, stand together.
fn impossible(entries: &BTreeMap<Cell, Entry>) -> String {
    let mut stages: BTreeMap<(&str, Fault), Vec<Stage>> = BTreeMap::new();
    for (cell, entry) in entries {
        if let Entry::Impossible(reason) = entry {
            stages
                .entry((reason, cell.fault))
                .or_default()
                .push(cell.stage);
        }
    }
    let mut lines: Vec<(Vec<Fault>, Vec<Stage>, &str)> = Vec::new();
    for ((reason, fault), stages) in stages {
        let same =
            |line: &&mut (Vec<Fault>, Vec<Stage>, &str)| line.1 == stages && line.2 == reason;
        match lines.iter_mut().find(same) {
            Some(line) => line.0.push(fault),
            None => lines.push((vec![fault], stages, reason)),
        }
    }
    lines.sort();
    let mut text =
        "\n## Cells that cannot be\n\n| faults | stages | why |\n| --- | --- | --- |\n".to_owned();
    for (faults, stages, reason) in lines {
        let stages: Vec<_> = stages.into_iter().map(Stage::name).collect();
        let (faults, stages) = (together(&faults), stages.join(", "));
        text.push_str(&format!("| {faults} | {stages} | {reason} |\n"));
    }
    text
}

fn makings() -> String {
    let mut lines: Vec<(Vec<Fault>, &str)> = Vec::new();
    for fault in Fault::ALL {
        match lines.iter_mut().find(|(_, text)| *text == made(fault)) {
            Some((faults, _)) => faults.push(fault),
            None => lines.push((vec![fault], made(fault))),
        }
    }
    let lines = lines.into_iter();
    lines
        .map(|(faults, text)| format!("| {} | {text} |\n", together(&faults)))
        .collect()
}

/// The heads of several rows; what they begin with is said once.
fn together(faults: &[Fault]) -> String {
    let mut said = "";
    let mut titles = Vec::new();
    for title in faults.iter().map(|fault| fault.title()) {
        match title.split_once(": ") {
            Some((about, rest)) if about == said => titles.push(rest),
            Some((about, _)) => {
                said = about;
                titles.push(title);
            }
            None => titles.push(title),
        }
    }
    titles.join("; ")
}
