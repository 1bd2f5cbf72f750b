//! `watch`: a service in place, in a terminal, with keys for the wishes.
//!
//! Looks, wishes and keys each come when they come; what is drawn is [`Screen`]'s.

mod screen;

use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use ebbtide_rules::input::Wish;
use futures_util::StreamExt as _;
use ratatui::DefaultTerminal;
use tokio::sync::mpsc;

use crate::aws::{Aws, Ended};
use crate::command::wish;
use crate::failed::Failed;
use crate::looks::{Back, Looks};
use crate::print;
use crate::view::View;
use screen::{Consequence, Screen};

/// What comes from AWS.
enum News {
    Looked(Result<Box<View>, Failed>),
    Told(String),
    Ended(Ended),
}

/// Watches until `q`, or until the execution `until` has ended; then how it did. What was seen last stays on the terminal.
///
/// # Errors
/// When the terminal cannot be drawn on.
pub(crate) async fn watch(
    aws: Aws,
    every: Duration,
    until: Option<String>,
) -> Result<Option<Ended>, Failed> {
    let mut screen = Screen::default();
    let mut terminal = ratatui::try_init().map_err(|error| no_terminal(&error))?;
    let (tell, news) = mpsc::channel(8);
    let looking = tokio::spawn(look(aws.clone(), every, until, tell.clone()));
    let ended = run(&mut terminal, &mut screen, news, &aws, tell).await;
    looking.abort();
    ratatui::restore();
    print::rows(&screen.rows());
    ended
}

fn no_terminal(error: &std::io::Error) -> Failed {
    Failed::Usage(format!("the terminal cannot be used: {error}"))
}

/// Looks again and again, until nobody listens.
async fn look(aws: Aws, every: Duration, until: Option<String>, tell: mpsc::Sender<News>) {
    let mut looks = Looks::new(aws, Back::Far);
    loop {
        let (looked, ended) = match looks.look_until(until.as_deref()).await {
            Ok((view, ended)) => (Ok(Box::new(view)), ended),
            Err(failed) => (Err(failed), None),
        };
        let closed = tell.send(News::Looked(looked)).await.is_err();
        if let Some(ended) = ended {
            let _ = tell.send(News::Ended(ended)).await;
        }
        if closed {
            return;
        }
        tokio::time::sleep(every).await;
    }
}

async fn run(
    terminal: &mut DefaultTerminal,
    screen: &mut Screen,
    mut news: mpsc::Receiver<News>,
    aws: &Aws,
    tell: mpsc::Sender<News>,
) -> Result<Option<Ended>, Failed> {
    let mut events = EventStream::new();
    loop {
        terminal
            .draw(|frame| screen.draw(frame))
            .map_err(|error| no_terminal(&error))?;
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => match screen.key(key) {
                    Consequence::Nothing => (),
                    Consequence::Quit => return Ok(None),
                    Consequence::Interrupt => return Err(Failed::Interrupted),
                    Consequence::Tell(wish) => {
                        let who = std::env::var("USER").ok();
                        let wish = Wish { who, ..wish };
                        tokio::spawn(carry(aws.clone(), wish, tell.clone()));
                    }
                },
                Some(Ok(_)) => (),
                Some(Err(error)) => return Err(no_terminal(&error)),
                None => return Ok(None),
            },
            Some(news) = news.recv() => match news {
                News::Looked(Ok(view)) => screen.see(*view),
                News::Looked(Err(failed)) => screen.fail(failed.to_string()),
                News::Told(told) => screen.tell(told),
                News::Ended(ended) => return Ok(Some(ended)),
            },
        }
    }
}

/// Carries a wish to its deployment, and what is said of it back.
async fn carry(aws: Aws, wish: Wish, tell: mpsc::Sender<News>) {
    let told = wish::carry(&aws, &wish).await;
    let told = told.unwrap_or_else(|failed| failed.to_string());
    let _ = tell.send(News::Told(told)).await;
}
