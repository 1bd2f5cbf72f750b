//! Each session's life as a row of the page: on blue, handed over, on green, and where it was cut.
//!
//! Owns the choice of rows when there are more than fit, and their order. Pure: called by [`super::page`].

use serde::Serialize;

use super::observe::{Client, Environment, Millis, Observation};
use super::timeline::{self, Session};

/// More sessions than this are not drawn one by one; every cut one is among those that are.
pub(super) const MOST_ROWS: usize = 600;

/// What a stretch of a row shows, as a number because there are thousands of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Shade {
    /// Open on blue.
    Blue = 0,
    /// Busy on blue; drawn over the former.
    BlueBusy = 1,
    /// Between two connections.
    Away = 2,
    /// Open on green.
    Green = 3,
    /// Busy on green; drawn over the former.
    GreenBusy = 4,
}

impl Serialize for Shade {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

/// One client's row.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Row<'a> {
    /// The client's name.
    pub name: &'a str,
    /// Start, end, shade.
    pub spans: Vec<(Millis, Millis, Shade)>,
    /// Times at which it was cut.
    pub cuts: Vec<Millis>,
    #[serde(skip)]
    moved: Millis,
}

/// The rows, ordered by when each session left blue. Of more than fit, every cut one and an even choice of the rest.
pub(super) fn rows(seen: &Observation) -> Vec<Row<'_>> {
    let mut all: Vec<Row<'_>> = seen
        .clients
        .iter()
        .map(|client| row(client, seen))
        .collect();
    all.sort_by(|one, other| (one.moved, one.name).cmp(&(other.moved, other.name)));
    if all.len() <= MOST_ROWS {
        return all;
    }
    let cut = all
        .iter()
        .filter(|row| !row.cuts.is_empty())
        .count()
        .min(MOST_ROWS);
    let (whole, room) = (all.len() - cut, MOST_ROWS - cut);
    let (mut whole_met, mut cut_met) = (0, 0);
    all.retain(|row| {
        if row.cuts.is_empty() {
            whole_met += 1;
            // Kept whenever the count of rows that should be kept by now steps up.
            whole_met * room / whole.max(1) > (whole_met - 1) * room / whole.max(1)
        } else {
            cut_met += 1;
            cut_met <= cut
        }
    });
    all
}

fn row<'a>(client: &'a Client, seen: &Observation) -> Row<'a> {
    let sessions = timeline::sessions(client, seen);
    let mut row = Row {
        name: &client.name,
        spans: Vec::new(),
        cuts: Vec::new(),
        moved: Millis::MAX,
    };
    for (place, session) in sessions.iter().enumerate() {
        let end = session.ended.as_ref().map_or(seen.ended_at, |(at, _)| *at);
        let (open, busy) = shades(session);
        row.spans.push((session.opened, end, open));
        row.spans.extend(
            session
                .busy
                .iter()
                .map(|(from, to)| (*from, (*to).min(end), busy)),
        );
        row.cuts.extend(session.cut().map(|(at, _)| at));
        if let Some(next) = sessions.get(place + 1) {
            row.spans.push((end, next.opened, Shade::Away));
        }
        if open == Shade::Blue && session.ended.is_some() {
            row.moved = end;
        }
    }
    row
}

fn shades(session: &Session) -> (Shade, Shade) {
    match session.environment {
        Some(Environment::Green) => (Shade::Green, Shade::GreenBusy),
        Some(Environment::Blue) | None => (Shade::Blue, Shade::BlueBusy),
    }
}

#[cfg(test)]
mod tests {
    use super::super::observe::{ClientEvent, Server};
    use super::*;

    fn seen(clients: Vec<Vec<(Millis, ClientEvent)>>) -> Observation {
        let mut seen = Observation {
            idle_after: 2_000,
            ended_at: 50_000,
            ..Observation::default()
        };
        for (instance, environment) in [("i-b", Environment::Blue), ("i-g", Environment::Green)] {
            seen.servers.insert(
                instance.into(),
                Server {
                    environment,
                    terminated_at: None,
                },
            );
        }
        seen.clients = clients
            .into_iter()
            .enumerate()
            .map(|(number, events)| Client {
                name: format!("t-{number:05}"),
                events,
            })
            .collect();
        seen
    }

    fn moved(at: Millis) -> Vec<(Millis, ClientEvent)> {
        vec![
            (
                0,
                ClientEvent::Connected {
                    server: "i-b".into(),
                },
            ),
            (
                at,
                ClientEvent::Closed {
                    code: 1012,
                    in_flight: 0,
                },
            ),
            (
                at + 300,
                ClientEvent::Connected {
                    server: "i-g".into(),
                },
            ),
        ]
    }

    fn cut(at: Millis) -> Vec<(Millis, ClientEvent)> {
        vec![
            (
                0,
                ClientEvent::Connected {
                    server: "i-b".into(),
                },
            ),
            (
                at,
                ClientEvent::Lost {
                    error: "reset".into(),
                    in_flight: 1,
                },
            ),
        ]
    }

    #[test]
    fn a_row_tells_a_life_from_blue_over_the_way_to_green() {
        let seen = seen(vec![moved(12_000)]);
        let row = &rows(&seen)[0];
        assert_eq!(
            row.spans,
            [
                (0, 12_000, Shade::Blue),
                (12_000, 12_300, Shade::Away),
                (12_300, 50_000, Shade::Green)
            ]
        );
        assert!(row.cuts.is_empty());
    }

    #[test]
    fn rows_are_ordered_by_the_time_their_session_left_blue() {
        let seen = seen(vec![moved(30_000), cut(20_000), moved(12_000)]);
        let order: Vec<_> = rows(&seen).iter().map(|row| row.name.to_owned()).collect();
        assert_eq!(order, ["t-00002", "t-00001", "t-00000"]);
    }

    #[test]
    fn of_too_many_rows_every_cut_one_is_kept() {
        let mut clients: Vec<_> = (0..10_000).map(|at| moved(10_000 + at)).collect();
        clients[4_321] = cut(14_000);
        clients[9_999] = cut(14_001);
        let seen = seen(clients);
        let rows = rows(&seen);
        assert_eq!(rows.len(), MOST_ROWS);
        assert_eq!(rows.iter().filter(|row| !row.cuts.is_empty()).count(), 2);
    }

    #[test]
    fn more_cuts_than_rows_fill_all_rows() {
        let seen = seen((0..1_000).map(cut).collect());
        assert_eq!(rows(&seen).len(), MOST_ROWS);
        assert!(rows(&Observation::default()).is_empty());
    }
}
