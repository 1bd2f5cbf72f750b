//! Hands made of commands, which a shell runs.
//!
//! Owns what a command has to do. One that opens a session prints a line as soon as it is open, and lasts as long as the
//! session; it ends, whatever its status, when the server has ended the session, and before it prints anything when it
//! was refused. It is ended by SIGTERM to its process group. One that restarts a server ends when the new process is
//! started.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::hands::{Doer, Doing, NotOpened, Opener, Session};
use crate::websocket;

/// A command that has said nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// So much of what a command says when it fails is told.
const MOST_TOLD: usize = 200;

/// A command, or the address of a WebSocket; a busy one says `busy` all the time.
pub fn opener(text: &str, busy: bool) -> Opener {
    let text = text.to_owned();
    Arc::new(move || {
        if text.starts_with("ws://") {
            websocket::open(text.clone(), busy.then(|| "busy".to_owned()))
        } else {
            by_command(text.clone())
        }
    })
}

/// A command that is done when it ends well.
pub fn doer(text: &str) -> Doer {
    let text = text.to_owned();
    Arc::new(move || {
        let text = text.clone();
        Box::pin(async move {
            // It may leave a server behind that keeps its output open: only its end is waited for.
            let mut child = Command::new("sh")
                .arg("-c")
                .arg(&text)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .map_err(|error| error.to_string())?;
            match timeout(PATIENCE, child.wait()).await {
                Ok(Ok(status)) if status.success() => Ok(()),
                Ok(ended) => Err(format!("the command ended with {}", told(ended))),
                Err(_) => Err("the command did not end within 30 s".to_owned()),
            }
        })
    })
}

fn told(ended: std::io::Result<ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// The command's processes, ended when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // An error is a group that has ended.
            let _ = kill_process_group(pid, Signal::TERM);
        }
    }
}

fn by_command(text: String) -> Doing<Result<Session, NotOpened>> {
    Box::pin(async move {
        let failed = |error: std::io::Error| NotOpened(error.to_string());
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(&text)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let number = child.id().and_then(|id| i32::try_from(id).ok());
        let group = Group(number.and_then(Pid::from_raw));
        let Some(out) = child.stdout.take() else {
            return Err(NotOpened("the command has no output".to_owned()));
        };
        let mut lines = BufReader::new(out).lines();
        match timeout(PATIENCE, lines.next_line()).await {
            Ok(Ok(Some(_))) => Ok(Session::new(lasting(group, child, lines))),
            Ok(_) => Err(NotOpened(last_words(child).await)),
            Err(_) => Err(NotOpened("the command printed nothing for 30 s".to_owned())),
        }
    })
}

/// Until the command ends. Both its outputs are read on, lest it waits for a reader.
async fn lasting(_group: Group, mut child: Child, mut lines: Lines<BufReader<ChildStdout>>) {
    let errors = child.stderr.take();
    let errors = async {
        if let Some(mut errors) = errors {
            let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
        }
    };
    let said = async { while let Ok(Some(_)) = lines.next_line().await {} };
    tokio::join!(errors, said);
    let _ = child.wait().await;
}

async fn last_words(mut child: Child) -> String {
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = timeout(PATIENCE, stderr.read_to_string(&mut words)).await;
    }
    let ended = timeout(PATIENCE, child.wait()).await;
    let status = ended.map_or_else(|_| "no end".to_owned(), told);
    let words: String = words.trim().chars().take(MOST_TOLD).collect();
    format!("the command ended with {status}: {words}")
}
