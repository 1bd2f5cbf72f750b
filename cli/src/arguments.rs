//! What can be typed.

use clap::{Args, Parser, Subcommand, ValueEnum};
use ebbtide_rules::knobs::TABLE;
use ebbtide_rules::record::Halt;

use crate::failed::STATUSES;

/// See a deployment of Ebbtide, start one, stop it, approve it.
///
/// The stack is named by --stack or EBBTIDE_STACK; credentials, region and endpoints are the AWS SDK's (AWS_PROFILE,
/// AWS_REGION, AWS_ENDPOINT_URL, …).
#[derive(Debug, Parser)]
#[command(name = "ebbtide", version, after_help = statuses(), max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The stack of Ebbtide
    #[arg(long, global = true, env = "EBBTIDE_STACK", value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// How to print what was found
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Output,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Text,
    /// For programs; of what goes on, a line for each change
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what is under way
    Status,
    /// Follow it, with keys for the wishes; without a terminal, a report at every change until nothing is under way
    Watch(Watch),
    /// Start a deployment
    Deploy(Deploy),
    /// Show what a deployment would do: preflight and plan, nothing is touched
    Plan(Asked),
    /// Hold a deployment: not the next step, not the switch, not the first seal
    Pause(Wish),
    /// Let it go on: lifts a pause, passes the gate at which it waits
    Resume(Resume),
    /// Skip the rest of steps and bake; refused while alarms fire
    Promote(Promote),
    /// Give blue the traffic back; possible until the bake is over
    Rollback(GoBack),
    /// Roll back where that is possible; before the switch, reject green
    Abort(GoBack),
    /// Show how deployments ended, the last one first
    History(History),
    /// Say what an error means and what to do: the operating guide's row
    Explain(Explain),
    /// Print completions for a shell
    Completions {
        /// Which
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print all that one look reads, for a report of a defect
    #[command(hide = true)]
    Seen,
}

/// Options of `watch`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Watch {
    /// Serve it as a page on 127.0.0.1 instead
    #[arg(long)]
    pub(crate) page: bool,
    /// The page's port; a free one if not given
    #[arg(long, requires = "page", value_name = "N")]
    pub(crate) port: Option<u16>,
    #[command(flatten)]
    pub(crate) pace: Pace,
}

/// How often to look.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Pace {
    /// Seconds between looks
    #[arg(long, default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) every: u64,
}

/// What a deployment is asked for.
#[derive(Debug, Clone, Args)]
#[command(after_help = fields())]
pub(crate) struct Asked {
    /// The execution's input, as JSON or from a file (`@-`: from standard input)
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    pub(crate) input: String,
    /// One field of it; may be given more than once
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Options of `deploy`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// The deployment's name, which is its execution's
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Follow it until its execution ends
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) pace: Pace,
}

/// What every wish takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Wish {
    /// The deployment; the front's if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) deployment: Option<String>,
    /// Why, for whoever reads the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
    /// Who asks
    #[arg(long, env = "USER", value_name = "NAME")]
    pub(crate) who: Option<String>,
}

/// Options of `promote`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Promote {
    #[command(flatten)]
    pub(crate) wish: Wish,
    /// Also while alarms fire
    #[arg(long)]
    pub(crate) force: bool,
}

/// Options of `rollback` and `abort`.
#[derive(Debug, Clone, Args)]
pub(crate) struct GoBack {
    #[command(flatten)]
    pub(crate) wish: Wish,
    /// Take the deployment over without asking, where its execution has ended
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Options of `resume`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) wish: Wish,
    /// Only if this is what it waits at: who is late opens no other gate
    #[arg(long, value_name = "PLACE")]
    pub(crate) at: Option<Place>,
    /// Redrive the deployment's execution, which has ended
    #[arg(long)]
    pub(crate) redrive: bool,
    /// Go on in a new execution, where the former has ended and cannot be redriven
    #[arg(long, conflicts_with = "redrive")]
    pub(crate) take_over: bool,
}

/// Where a deployment waits for a person.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Place {
    /// At the gate before the switch
    Switch,
    /// At the gate before the first seal
    Seal,
    /// Where it was paused
    Pause,
}

impl From<Place> for Halt {
    fn from(place: Place) -> Self {
        match place {
            Place::Switch => Self::Switch,
            Place::Seal => Self::Seal,
            Place::Pause => Self::Pause,
        }
    }
}

/// Options of `history`.
#[derive(Debug, Clone, Args)]
pub(crate) struct History {
    /// How many
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) limit: usize,
}

/// What `explain` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Explain {
    /// An error's name, or how an execution ended; without one, all names are listed
    #[arg(value_name = "ERROR")]
    pub(crate) name: Option<String>,
}

fn statuses() -> String {
    let rows = STATUSES.map(|(status, what)| format!("  {status:>3}  {what}"));
    format!("Exit status:\n{}", rows.join("\n"))
}

fn fields() -> String {
    let knobs = TABLE.iter().filter_map(|knob| {
        let path = knob.path?;
        Some(format!("  {path:<28} {}", knob.expected()))
    });
    let knobs: Vec<String> = knobs.collect();
    format!("Fields:\n{}", knobs.join("\n"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }
}
