//! What the next execution of a deployment needs of this one's document: it begins in the middle, with a history of its
//! own.
//!
//! Keeps what counts (the plan, the last answer, confirmed weights, the check's memory, servers that are still asked to
//! open, and until when a call that moves weights may still arrive), and drops every list that the next pass makes anew.

use serde_json::Value;

use super::Document;
use crate::plan::Asked;
use crate::record::Answer;

impl Document {
    /// The input of the execution that goes on from `answer`.
    pub fn handed_on(&self, answer: &Answer) -> Self {
        let mut plan = self.plan.clone();
        if let Some(Asked::Deploy(deploy)) = plan.as_mut().map(|plan| &mut plan.asked) {
            deploy.servers = Vec::new();
        }
        let mut check = self.check.clone();
        if let Some(check) = &mut check {
            // The next execution's redrives are counted from 0.
            check.memory.redrives = 0;
        }
        Self {
            continued: Some(Value::Bool(true)),
            plan,
            // Its turn goes on, so that no key of an ask comes twice.
            record: Some(answer.clone()),
            attach: self.attach.clone(),
            switch: self.switch.clone(),
            check,
            terminate: self.terminate.clone(),
            resume: self.resume.clone(),
            back: self.back.clone(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::HeldBack;
    use crate::document::Told;
    use crate::examples::{
        NOW, about, after, answer, check, environment, listed, moments, planned, recorded,
        switched, told,
    };
    use crate::record::Doing;
    use crate::resume::Resumed;
    use crate::shape::Server;
    use crate::terminate::{Terminated, Verdict};
    use crate::weights::Weights;

    const ALL_BLUE: Weights = Weights {
        blue: 100,
        green: 0,
    };

    fn servers(count: usize) -> Vec<Server> {
        let server = |number| Server {
            instance: format!("i-{number:017}"),
            ip: "10.255.255.255".to_owned(),
        };
        (0..count).map(server).collect()
    }

    fn draining() -> Document {
        let (blue, green) = (environment("a"), environment("b"));
        let all_green = Weights {
            blue: 0,
            green: 100,
        };
        let servers = servers(500);
        let mut checked = check(&[]);
        checked.counts.closed = 5;
        checked.memory.redrives = 2;
        Document {
            requested: json!({"count": 3}),
            attach: Some(Told {
                unanswered_until: Some(after(75)),
                ..switched(all_green, &[&blue, &green])
            }),
            switch: Some(switched(all_green, &[&blue, &green])),
            retiring: Some(listed(&blue, &servers)),
            held: Some(listed(&blue, &servers)),
            check: Some(checked),
            ..planned(recorded(&blue, &green, &[]), &servers)
        }
    }

    #[test]
    fn the_next_execution_gets_what_counts_and_no_list_of_servers() {
        let document = draining();
        let answer = answer(Doing::Draining {
            environment: environment("a"),
            moments: moments(),
        });
        let next = document.handed_on(&answer);
        assert_eq!(next.record, Some(answer.clone()));
        assert_eq!(next.turn(), answer.turn);
        assert_eq!(next.fence(), document.handed_on(&answer).fence());
        assert_eq!(next.recorded(), document.recorded());
        assert_eq!(next.switch, document.switch);
        assert_eq!(next.unanswered_until(), document.unanswered_until());
        let check = next.check.as_ref().unwrap();
        assert_eq!((check.counts.closed, check.memory.redrives), (5, 0));
        let json = serde_json::to_string(&next).unwrap();
        assert!(!json.contains("i-0000"), "{json}");
        assert!(json.len() < 6_000, "{}", json.len());
    }

    #[test]
    fn after_a_rollback_the_next_execution_knows_who_is_not_open_and_whose_call_may_still_arrive() {
        let waiting = servers(1);
        let document = Document {
            back: Some(Told {
                unanswered_until: Some(after(90)),
                ..switched(ALL_BLUE, &[&environment("a")])
            }),
            resume: Some(Resumed {
                at: NOW,
                open: 2,
                waiting: waiting.clone(),
                sealed: Vec::new(),
                unknown: Vec::new(),
                reason: String::new(),
            }),
            terminate: Some(told(Terminated {
                verdict: Verdict::Left,
                terminated: vec!["i-1".to_owned()],
                ending: Vec::new(),
                refused: vec![HeldBack {
                    instance: "i-2".to_owned(),
                    reason: "in another target group".to_owned(),
                }],
                remaining: 2,
                tried: None,
            })),
            ..draining()
        };
        let next = document.handed_on(&answer(Doing::Nothing));
        assert_eq!(
            next.unopened(),
            Ok(waiting.as_slice()),
            "they are asked again"
        );
        assert_eq!(next.refused().len(), 1, "the next check tells of it");
        assert_eq!(
            next.terminate, document.terminate,
            "what was ended is counted"
        );
        assert_eq!(next.unanswered_until(), Some(after(90)));
    }

    #[test]
    fn the_definition_knows_it_by_the_key_continued_and_it_is_a_document() {
        let document = about(
            recorded(&environment("a"), &environment("b"), &[]),
            Doing::Nothing,
        );
        let next = document.handed_on(&answer(Doing::Nothing));
        let json = serde_json::to_value(&next).unwrap();
        assert_eq!(json["continued"], json!(true));
        assert_eq!(serde_json::from_value::<Document>(json).unwrap(), next);
    }
}
