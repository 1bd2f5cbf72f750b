//! What operators wish of the front's deployment, and what it waits for a person to say.
//!
//! A wish is written into the record by an execution of its own; the deployment reads it with its next ask. Owns what can
//! be wished when: a deployment that drains is past all of it, and one whose execution has ended reads nothing. Owns also
//! where a deployment stands still: at a gate, or because it was paused; and for how long at the most.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::claim::{fence, name_of};
use super::decide::{Made, Say};
use super::{Ask, Course, Doing, Facts, Front, Next, Phase, Record, Refused, take_over};
use crate::check::STANDSTILL;
use crate::input::{Verb, Wish};
use crate::plan::{Gate, Halt};
use crate::wait;

/// The longest that one execution stands at one place, redrives included: a look at green before its switch costs 26 events, at
/// the latest every 400 s, and three days of them leave room in a history of 25,000.
const MOST: SignedDuration = SignedDuration::from_hours(72);

/// What operators wish of the front's deployment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wishes {
    /// That it rolls back; before the switch, that green is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<Wished>,
    /// That the rest of steps and bake is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote: Option<Wished>,
    /// The gates that were opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved: Vec<Approved>,
}

/// Who wished it, when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wished {
    /// The name of the execution that asked.
    pub by: String,
    /// Who asked, as they call themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether it counts although alarms fire.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// A gate that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approved {
    /// Which.
    pub gate: Gate,
    /// By whom.
    #[serde(flatten)]
    pub wished: Wished,
}

/// What a person has to say something to before the deployment goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waits {
    /// Where it stands.
    #[serde(rename = "for")]
    pub at: Halt,
    /// Since when.
    pub since: Timestamp,
    /// Until when at the most: after it the execution fails, and a redrive grants the time anew.
    pub until: Timestamp,
    /// Who paused it; none at a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Wished>,
}

impl Wished {
    fn of(wish: &Wish, ask: &Ask, now: Timestamp) -> Self {
        Self {
            by: name_of(&ask.execution).to_owned(),
            who: wish.who.clone(),
            why: wish.why.clone(),
            at: now,
            force: wish.force,
        }
    }

    /// That somebody asked for it, as a reason.
    pub fn asked_for(&self) -> String {
        format!("an operator asked for it: {}", self.words())
    }

    /// Who asked, when and why, in words.
    pub fn words(&self) -> String {
        let who = self
            .who
            .as_ref()
            .map_or_else(String::new, |who| format!("{who}, "));
        let why = self
            .why
            .as_ref()
            .map_or_else(String::new, |why| format!(", \"{why}\""));
        format!("{who}execution {} at {:.0}{why}", self.by, self.at)
    }
}

impl Waits {
    /// Where `deployment` stands and what to type, in words that follow its name.
    pub fn words(&self, deployment: &str) -> String {
        let stands = match (self.at.gate(), &self.asked) {
            (Some(gate), _) => format!(
                "waits at the gate \"{}\" since {:.0}",
                gate.word(),
                self.since
            ),
            (None, Some(wished)) => format!("is paused, by {}", wished.words()),
            (None, None) => format!("is paused since {:.0}", self.since),
        };
        format!(
            "{stands}, until {:.0} at the most; to go on: {{\"resume\": \"{deployment}\", \"at\": \
             \"{}\"}}, to give up: {{\"abort\": \"{deployment}\"}}",
            self.until,
            self.at.word()
        )
    }
}

impl Wishes {
    fn opened(&self, gate: Gate) -> bool {
        self.promote.is_some() || self.approved.iter().any(|it| it.gate == gate)
    }
}

impl Front {
    /// Where the deployment has to stand still before it passes `gate`, or, where none is named, before anything moves.
    pub(super) fn halt(&self, gate: Option<Gate>) -> Option<Halt> {
        let paused = self.waits.as_ref().filter(|it| it.at == Halt::Pause);
        let shut =
            |gate: &Gate| self.plan.policy.approve.contains(gate) && !self.wishes.opened(*gate);
        paused
            .map(|_| Halt::Pause)
            .or(gate.filter(shut).map(Halt::from))
    }

    /// Why it is given up, if somebody wished that.
    pub fn given_up(&self) -> Option<String> {
        self.wishes.roll_back.as_ref().map(Wished::asked_for)
    }

    /// Whether alarms and the checks through the load balancer count: a promotion by force goes on whatever they say.
    pub(super) fn heeds_alarms(&self) -> bool {
        !self.wishes.promote.as_ref().is_some_and(|it| it.force)
    }

    /// Stands still: from when on and until when is on record. Its seconds until the next look, and why.
    ///
    /// # Errors
    /// When it has lasted as long as it may, unless a redrive of the execution grants the time anew.
    pub(super) fn stand(
        &mut self,
        at: Halt,
        ask: &Ask,
        before: &Course,
        now: Timestamp,
    ) -> Result<(u64, String), Refused> {
        let limit = self.limit();
        let waits = match &mut self.waits {
            Some(waits) if waits.at == at => waits,
            other => other.insert(Waits {
                at,
                since: now,
                until: later(now, limit),
                asked: None,
            }),
        };
        if redriven(ask, before, now) {
            let most = waits.since.checked_add(MOST).unwrap_or(Timestamp::MAX);
            waits.until = waits.until.max(later(now, limit).min(most));
        }
        let words = waits.words(&self.owner.deployment);
        let words = format!("deployment {} {words}", self.owner.deployment);
        if now > waits.until {
            return Err(Refused::Paused(words));
        }
        // Later on the next pass is due when it would be anyway.
        let longest = wait::LONGEST_BEFORE_SWITCH_SECONDS;
        let wait = wait::seconds(now, waits.since, None, longest);
        Ok((wait::until(wait, now, Some(waits.until)), words))
    }

    /// Whoever goes on in its place gets the time to decide anew.
    pub(super) fn grant_anew(&mut self, now: Timestamp) {
        let until = later(now, self.limit());
        if let Some(waits) = &mut self.waits {
            (waits.since, waits.until) = (now, until);
        }
    }

    fn limit(&self) -> u32 {
        self.plan.policy.pause_seconds
    }
}

/// Whether somebody has redriven the execution since it was last answered: told so, or seen by its long silence.
fn redriven(ask: &Ask, before: &Course, now: Timestamp) -> bool {
    let silent = |since: Timestamp| now.duration_since(since) > STANDSTILL;
    ask.redrives > before.redrives || ask.looked_since().is_some_and(silent)
}

fn later(now: Timestamp, seconds: u32) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(i64::from(seconds)))
        .unwrap_or(Timestamp::MAX)
}

/// Tells the front's deployment what an operator wishes.
pub(super) fn decide(
    record: &Record,
    ask: &Ask,
    wish: &Wish,
    facts: &Facts,
    now: Timestamp,
) -> Result<Made, Refused> {
    let plan = ask.document.plan()?;
    let Some(front) = record.front_of(&wish.deployment) else {
        return Err(Refused::Wish(not_in_front(record, wish)));
    };
    refuse_unread(front, wish, facts)?;
    let mut next = record.clone();
    let mut told = String::new();
    if let Some(front) = next.front.as_mut() {
        let wished = Wished::of(wish, ask, now);
        told = front.tell(wish, wished, facts).map_err(Refused::Wish)?;
    }
    let reason = format!("deployment {} {told}", wish.deployment);
    let say = Say::new(Next::Told, Doing::Nothing, reason);
    Ok(say.made(next, &fence(plan, record.epoch), ask, now))
}

/// Why nothing can be wished of a deployment that does not hold the front.
fn not_in_front(record: &Record, wish: &Wish) -> String {
    let deployment = &wish.deployment;
    if record.entry_of(deployment).is_none() {
        return take_over::not_owner(record, deployment);
    }
    let instead = match wish.verb {
        Verb::RollBack | Verb::Abort => {
            "what is sealed nothing takes back; deploy the version you want, it need not wait for the drain"
        }
        Verb::Pause => {
            "servers are sealed as they empty, and nothing busy is ever cut; what is sealed cannot be paused"
        }
        Verb::Resume | Verb::Promote => "it goes on by itself",
    };
    format!("deployment {deployment} is draining: its bake is over, {instead}")
}

/// An execution that has ended reads no wish.
fn refuse_unread(front: &Front, wish: &Wish, facts: &Facts) -> Result<(), Refused> {
    let holder = facts.holder.as_ref();
    if holder.is_some_and(|holder| holder.running) {
        return Ok(());
    }
    let deployment = &front.owner.deployment;
    let status = holder.map_or("not known", |holder| holder.status.as_str());
    let instead = match wish.verb {
        Verb::RollBack | Verb::Abort => format!(
            "Take it over instead, with the input {{\"takeOver\": {{\"deployment\": \"{deployment}\", \"then\": \
             \"rollBack\"}}}}"
        ),
        Verb::Pause | Verb::Resume | Verb::Promote => format!(
            "Redrive it, or take it over with the input {{\"takeOver\": {{\"deployment\": \"{deployment}\", \"then\": \
             \"continue\"}}}}, and say it then"
        ),
    };
    Err(Refused::Wish(format!(
        "the execution of deployment {deployment} is {status}, so it cannot be told. {instead}"
    )))
}

impl Front {
    /// Notes the wish; what is told of it, or why it cannot be.
    fn tell(&mut self, wish: &Wish, wished: Wished, facts: &Facts) -> Result<String, String> {
        let deployment = &self.owner.deployment;
        match (&self.phase, wish.verb) {
            (Phase::Detaching { .. }, _) => Err(format!(
                "deployment {deployment} is over, its group is being taken out of the forward action"
            )),
            (Phase::RollingBack { reason }, Verb::RollBack | Verb::Abort) => {
                Ok(format!("is rolling back already: {reason}"))
            }
            (Phase::RollingBack { .. }, _) => Err(format!(
                "deployment {deployment} is rolling back: blue gets all of its traffic back, whatever is said now"
            )),
            (Phase::Superseding { .. }, Verb::RollBack) => Err(format!(
                "deployment {deployment} has moved no traffic: there is nothing to roll back; to give it up: {{\"abort\": \
                 \"{deployment}\"}}"
            )),
            (_, Verb::RollBack | Verb::Abort) => Ok(self.give_up(wished)),
            (_, Verb::Pause | Verb::Resume | Verb::Promote) if self.wishes.roll_back.is_some() => {
                Err(format!(
                    "deployment {deployment} is given up already, and its next look says so: {}",
                    self.given_up().unwrap_or_default()
                ))
            }
            (_, Verb::Pause) => Ok(self.pause(wished)),
            (_, Verb::Resume) => self.resume(wish, wished),
            (_, Verb::Promote) => self.promote(wished, facts),
        }
    }

    fn give_up(&mut self, wished: Wished) -> String {
        let what = match self.phase {
            Phase::Switched => "is told to roll back, and does so in its next pass",
            _ => {
                "is given up before its switch: green is ended, at its next look at the latest; blue goes on serving"
            }
        };
        // Whoever looks meanwhile is not told to open a gate.
        self.waits = None;
        let wished = self.wishes.roll_back.get_or_insert(wished);
        format!("{what} ({})", wished.words())
    }

    fn pause(&mut self, wished: Wished) -> String {
        let limit = self.limit();
        let waits = self.waits.get_or_insert_with(|| Waits {
            at: Halt::Pause,
            since: wished.at,
            until: later(wished.at, limit),
            asked: Some(wished),
        });
        waits.words(&self.owner.deployment)
    }

    fn resume(&mut self, wish: &Wish, wished: Wished) -> Result<String, String> {
        let deployment = &self.owner.deployment;
        // Who comes late has looked at another place than the one that would open.
        if let (Some(at), Some(waits)) = (wish.at, &self.waits)
            && at != waits.at
        {
            return Err(format!(
                "\"{}\" is over: deployment {deployment} {}",
                at.word(),
                waits.words(deployment)
            ));
        }
        let Some(waits) = self.waits.take() else {
            let last = self.wishes.approved.last();
            let last = last.map_or_else(String::new, |it| {
                format!(
                    "; the gate \"{}\" was opened by {}",
                    it.gate.word(),
                    it.wished.words()
                )
            });
            return Err(format!(
                "deployment {deployment} is {} and neither paused nor waiting at a gate{last}. A gate is opened once it is \
                 waited at",
                self.phase.word()
            ));
        };
        let Some(gate) = waits.at.gate() else {
            return Ok("goes on: it is not paused any more".to_owned());
        };
        self.wishes.approved.push(Approved { gate, wished });
        Ok(format!("goes on: the gate \"{}\" is open", gate.word()))
    }

    fn promote(&mut self, wished: Wished, facts: &Facts) -> Result<String, String> {
        let against = facts.alarms.as_ref().and_then(|alarms| alarms.against());
        if let Some(against) = against.filter(|_| !wished.force) {
            return Err(format!(
                "{against}: it rolls back if that goes on. To promote it all the same: {{\"promote\": \"{}\", \"force\": true}}",
                self.owner.deployment
            ));
        }
        self.waits = None;
        let former = self.wishes.promote.take();
        let wished = former
            .filter(|former| former.force || !wished.force)
            .unwrap_or(wished);
        let words = wished.words();
        self.wishes.promote = Some(wished);
        Ok(format!(
            "is promoted: the rest of its steps and of its bake is skipped, what has to settle settles first ({words})"
        ))
    }
}
