//! `ebbtide-conformance`: tries a server against the session endpoint, version 1.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ebbtide_conformance::{Hands, NoTrial, Subject, Verdict, commands, read_keys, try_server};

/// Tries a server against the session endpoint, version 1, and prints a line for each rule.
///
/// The server has to be open with nothing in use, and is sealed afterwards. A command that opens a session prints a line
/// when it is open, and lasts until the server has ended it; refused, it ends before it prints. `ws://…` in its place is
/// a WebSocket, opened without a command. With --keys every call is signed, every report and refusal has to be, and the
/// rules of signed calls are tried too (docs/signed-calls.md). Exit status 0: no rule failed; 1: one did; 2: nothing could be tried.
#[derive(Parser)]
#[command(name = "ebbtide-conformance", version)]
struct Arguments {
    /// Where its GET /sessions is, such as <http://127.0.0.1:7070/sessions>
    #[arg(long)]
    url: String,
    /// Its instance; default: what it says
    #[arg(long)]
    instance: Option<String>,
    /// File with the server's keys, one a line, as the server reads it
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Opens a session that becomes idle: a command, or ws://…
    #[arg(long, value_name = "CMD")]
    open_session: Option<String>,
    /// Opens a session that is busy as long as it lasts: a command, or ws://… to say something all the time
    #[arg(long, value_name = "CMD")]
    busy: Option<String>,
    /// Restarts the server's process
    #[arg(long, value_name = "CMD")]
    restart: Option<String>,
    /// Restarts the server's process without its state file: then a seal is tried several times
    #[arg(long, value_name = "CMD")]
    fresh: Option<String>,
    /// How long to wait for a session to become idle, in seconds
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// How many seals to give under arriving sessions, with --fresh
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What Ebbtide gives a call.
const LIMIT: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

impl Arguments {
    fn subject(&self) -> Result<Subject, NoTrial> {
        let opener = |text: &Option<String>, busy| {
            let text = text.as_deref();
            text.map(|text| commands::opener(text, busy))
        };
        let doer = |text: &Option<String>| text.as_deref().map(commands::doer);
        let keys = self.keys.as_deref().map(read_keys).transpose();
        Ok(Subject {
            url: self.url.clone(),
            instance: self.instance.clone(),
            keys: keys.map_err(NoTrial)?.unwrap_or_default(),
            hands: Hands {
                open: opener(&self.open_session, false),
                busy: opener(&self.busy, true),
                restart: doer(&self.restart),
                fresh: doer(&self.fresh),
            },
            limit: LIMIT,
            patience: Duration::from_secs(self.patience),
            rounds: self.rounds,
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let tried = async { try_server(arguments.subject()?).await };
    match tried.await {
        Ok(verdict) => print(&verdict, arguments.output),
        Err(NoTrial(why)) => {
            eprintln!("nothing could be tried: {why}");
            ExitCode::from(2)
        }
    }
}

fn print(verdict: &Verdict, output: Output) -> ExitCode {
    match output {
        Output::Text => println!("{verdict}"),
        Output::Json => println!("{:#}", verdict.json()),
    }
    ExitCode::from(u8::from(!verdict.conforms()))
}
