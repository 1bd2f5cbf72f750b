//! What `watch` shows in a terminal, and what a key does: no terminal and no AWS in it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ebbtide_rules::input::{Verb, Wish};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Padding, Paragraph};

use crate::rows::{Row, Tone, rows, wrapped};
use crate::view::View;

/// The keys, what each is for, and the wish that it stands for.
const KEYS: [(char, &str, Verb); 5] = [
    (
        'p',
        "pause: not the next step, not the switch, not the first seal",
        Verb::Pause,
    ),
    ('r', "resume: lift a pause, or pass the gate", Verb::Resume),
    (
        'P',
        "promote: skip the rest of steps and bake",
        Verb::Promote,
    ),
    ('b', "roll back: blue gets its traffic back", Verb::RollBack),
    (
        'a',
        "abort: roll back, or reject green before the switch",
        Verb::Abort,
    ),
];
const FOOT: &str = " p pause  r resume  P promote  b roll back  a abort  ? help  q quit";

/// What is on the screen.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    view: Option<View>,
    trouble: Option<String>,
    told: Option<String>,
    over: Over,
    scrolled: u16,
}

/// What lies over the view.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Over {
    #[default]
    Nothing,
    Help,
    /// Whether this is really to be told to that deployment.
    Question(Wish),
}

/// What a key has for a consequence beyond the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// None.
    Nothing,
    /// The end of watching; the deployment goes on.
    Quit,
    /// As quitting, and the exit status says that it was Ctrl-C.
    Interrupt,
    /// A wish to a deployment.
    Tell(Wish),
}

impl Screen {
    /// What the last look showed.
    pub(crate) fn see(&mut self, view: View) {
        (self.view, self.trouble) = (Some(view), None);
    }

    /// Why the last look showed nothing; the view before stays.
    pub(crate) fn fail(&mut self, trouble: String) {
        self.trouble = Some(trouble);
    }

    /// What became of a wish.
    pub(crate) fn tell(&mut self, told: String) {
        self.told = Some(told);
    }

    /// What the last look showed, as rows.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.view.as_ref().map(rows).unwrap_or_default()
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Consequence {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Consequence::Interrupt;
        }
        // Ctrl-b is no b.
        if key
            .modifiers
            .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
        {
            return Consequence::Nothing;
        }
        match std::mem::take(&mut self.over) {
            Over::Question(wish) if key.code == KeyCode::Char('y') => {
                let (verb, deployment) = (wish.verb.field(), &wish.deployment);
                self.told = Some(format!("{verb} of {deployment} is asked for …"));
                return Consequence::Tell(wish);
            }
            Over::Question(..) => self.told = Some("nothing was asked for".to_owned()),
            Over::Help => (),
            Over::Nothing => return self.command(key.code),
        }
        Consequence::Nothing
    }

    fn command(&mut self, key: KeyCode) -> Consequence {
        self.told = None;
        match key {
            KeyCode::Char('q') | KeyCode::Esc => return Consequence::Quit,
            KeyCode::Char('?') => self.over = Over::Help,
            KeyCode::Char('j') | KeyCode::Down => self.scrolled = self.scrolled.saturating_add(1),
            KeyCode::Char('k') | KeyCode::Up => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::PageDown => self.scrolled = self.scrolled.saturating_add(10),
            KeyCode::PageUp => self.scrolled = self.scrolled.saturating_sub(10),
            KeyCode::Char(typed) => {
                if let Some((_, _, verb)) = KEYS.iter().find(|(key, ..)| *key == typed) {
                    self.ask(*verb);
                }
            }
            _ => (),
        }
        Consequence::Nothing
    }

    /// Asks whether it is meant, if there is anybody to tell it to.
    fn ask(&mut self, verb: Verb) {
        let front = self.view.as_ref().and_then(|view| view.front.as_ref());
        match front {
            None => {
                self.told =
                    Some("no deployment holds the front: there is nobody to tell".to_owned())
            }
            Some(front) if !front.acting.runs => {
                self.told = Some(format!(
                    "the execution of {} is {}: nobody reads a wish; see the rows `do`",
                    front.name, front.acting.status
                ));
            }
            // What the person sees is what opens, even if it has gone on meanwhile.
            Some(front) => {
                let stands = front.stands.as_ref().filter(|_| verb == Verb::Resume);
                self.over = Over::Question(Wish {
                    at: stands.map(|stands| stands.at),
                    ..Wish::new(verb, front.name.clone())
                });
            }
        }
    }

    /// Draws it.
    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>) {
        let [body, said, foot] = Layout::vertical([
            Constraint::Min(1),
            Constraint::Length(u16::from(self.said().is_some()) * 2),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        self.draw_view(frame, body);
        if let Some((text, tone)) = self.said() {
            let text = Paragraph::new(text).style(style(tone));
            frame.render_widget(text.wrap(ratatui::widgets::Wrap { trim: true }), said);
        }
        frame.render_widget(
            Paragraph::new(FOOT).style(Style::new().add_modifier(Modifier::REVERSED)),
            foot,
        );
        match &self.over {
            Over::Nothing => (),
            Over::Help => popup(frame, " Keys ", &help()),
            Over::Question(wish) => {
                let (_, what, _) = KEYS.iter().find(|it| it.2 == wish.verb).unwrap_or(&KEYS[0]);
                let lines = [
                    wish.deployment.clone(),
                    (*what).to_owned(),
                    String::new(),
                    "y yes, any other key no".to_owned(),
                ];
                popup(frame, " Really? ", &lines);
            }
        }
    }

    /// What is to be said below the view.
    fn said(&self) -> Option<(String, Tone)> {
        let told = self.told.clone().map(|told| (told, Tone::Strong));
        let trouble = self.trouble.as_ref();
        told.or(trouble.map(|it| (format!("the last look failed: {it}"), Tone::Bad)))
    }

    fn draw_view(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.rows();
        let width = usize::from(area.width);
        let lines: Vec<Line<'_>> = rows
            .iter()
            .flat_map(|row| wrapped(row, width))
            .map(line)
            .collect();
        let text = if self.view.is_some() {
            Text::from(lines)
        } else {
            Text::from("looking …")
        };
        let surplus = text.height().saturating_sub(usize::from(area.height));
        self.scrolled = self
            .scrolled
            .min(u16::try_from(surplus).unwrap_or(u16::MAX));
        frame.render_widget(Paragraph::new(text).scroll((self.scrolled, 0)), area);
    }
}

fn help() -> Vec<String> {
    let keys = KEYS.map(|(key, what, _)| format!("{key}  {what}"));
    let others = [
        "j k ↑ ↓  scroll",
        "q  quit; a deployment under way goes on",
        "",
        "with a reason, or although alarms fire: `ebbtide help`",
    ];
    keys.into_iter().chain(others.map(str::to_owned)).collect()
}

/// A box in the middle, as large as its lines.
fn popup(frame: &mut Frame<'_>, title: &str, lines: &[String]) {
    let longest = lines.iter().map(|line| line.chars().count()).max();
    let size = |cells: usize| Constraint::Length(u16::try_from(cells).unwrap_or(u16::MAX));
    let area = frame
        .area()
        .centered(size(longest.unwrap_or(0) + 4), size(lines.len() + 2));
    let block = Block::bordered()
        .title(title)
        .padding(Padding::horizontal(1));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines.join("\n")).block(block), area);
}

fn line(row: Row) -> Line<'static> {
    let spans = row
        .into_iter()
        .map(|(text, tone)| Span::styled(text, style(tone)));
    Line::from(spans.collect::<Vec<_>>())
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
        Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
        Tone::Blue => Style::new().fg(Color::Blue),
        Tone::Green => Style::new().fg(Color::Green),
        Tone::Warn => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red),
    }
}

#[cfg(test)]
mod tests;
