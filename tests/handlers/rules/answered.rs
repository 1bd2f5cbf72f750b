//! What a call answered: it claims no more than is so, and what is not known it tells as unknown.

use ebbtide_rules::check::Check;
use ebbtide_rules::document::{Act, Invocation};
use ebbtide_rules::observed::{ENVIRONMENT_TAG, Instance, InstanceState, RETIRING_TAG};
use ebbtide_rules::plan::Gate;
use ebbtide_rules::record::{Answer, Doing, Halt, Next, Outcome, Phase, Wishes};
use ebbtide_rules::shape::Environment;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Broken, Rule, Stood, demand};
use crate::aws;
use crate::call::Call;
use crate::server::Server;
use crate::world::World;

pub(super) fn judge(
    world: &World,
    call: &Call,
    answer: &Value,
    stood: &Stood,
) -> Result<(), Broken> {
    let Some(invocation) = &call.invocation else {
        return Ok(());
    };
    let told = Told {
        world,
        call,
        invocation,
        answer,
    };
    match invocation.act {
        Act::Check => told.checked(),
        Act::TestGreen => told.green_is_fit(),
        Act::Resume | Act::ResumeAgain => told.opened(),
        Act::EndSealed | Act::EndUnserved => told.ended(),
        Act::Attach | Act::Weigh | Act::WeighBack | Act::Detach => told.weighed(),
        Act::Hold => told.held(),
        Act::LetGo => told.let_go(),
        Act::Claim | Act::Adopt | Act::Switch | Act::Pass | Act::HandOn | Act::Release => {
            told.decided(stood)
        }
        _ => Ok(()),
    }
}

struct Told<'a> {
    world: &'a World,
    call: &'a Call,
    invocation: &'a Invocation,
    answer: &'a Value,
}

impl Told<'_> {
    fn truly(&self, holds: bool, how: &str) -> Result<(), Broken> {
        demand(holds, Rule::AnswersAreTrue, || {
            format!("{}: {how}: {}", self.call.state, self.answer)
        })
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Broken> {
        serde_json::from_value(self.answer.clone()).map_err(|error| Broken {
            rule: Rule::DefinitionFits,
            how: format!("{}: {error}: {}", self.call.state, self.answer),
        })
    }

    fn servers(&self, servers: &[ebbtide_rules::shape::Server]) -> Vec<Server> {
        let ids = servers.iter().map(|server| &server.instance);
        ids.filter_map(|id| self.world.server(id)).collect()
    }

    fn fence(&self) -> ebbtide_rules::Fence {
        self.call.fence().expect("something was planned")
    }

    fn checked(&self) -> Result<(), Broken> {
        let check: Check = self.read()?;
        let list = self.invocation.document.retiring();
        let Ok(list) = list else { return Ok(()) };
        for server in self.servers(&list.servers) {
            let told = check
                .counts
                .unknown_servers
                .iter()
                .any(|it| it.instance == server.instance);
            self.truly(
                told || !server.is_unreadable(),
                "an unread server is not told",
            )?;
        }
        for id in &check.sealed {
            let sealed = self.world.server(id).is_some_and(|it| {
                it.disk.sealed_for.as_ref() == Some(&self.fence().deployment) && !it.holds()
            });
            self.truly(sealed, "sealed is not sealed")?;
        }
        self.truly(
            !check.outlook.waiting_for.is_empty(),
            "it waits for nothing",
        )
    }

    fn green_is_fit(&self) -> Result<(), Broken> {
        let Some(green) = &self.invocation.document.green else {
            return self.truly(false, "there is no green");
        };
        for server in self.servers(&green.servers) {
            let fit = server.is_open() && server.disk.epoch == self.fence().epoch;
            self.truly(fit && !server.is_unreadable(), "accepted is not open")?;
        }
        Ok(())
    }

    fn opened(&self) -> Result<(), Broken> {
        let servers = self.world.servers();
        let epoch = self.fence().epoch;
        let open = servers
            .iter()
            .filter(|it| it.is_open() && it.disk.epoch >= epoch)
            .count();
        let told = self.answer["open"].as_u64().unwrap_or(u64::MAX);
        self.truly(told <= open as u64, "more open than are")
    }

    fn ended(&self) -> Result<(), Broken> {
        if self.answer["verdict"] != "gone" {
            return Ok(());
        }
        let document = &self.invocation.document;
        let environment = if self.invocation.act == Act::EndUnserved {
            document.unserved().map(|(_, environment)| environment)
        } else {
            document.to_hold()
        };
        let Ok(environment) = environment else {
            return self.truly(false, "of nothing");
        };
        let deployment = super::ended::deployment(self.call);
        let things = self.world.things();
        let own = |it: &&Instance| {
            let tags = [RETIRING_TAG, ebbtide_rules::observed::DEPLOYMENT_TAG];
            it.tag(ENVIRONMENT_TAG) == Some(&environment.name)
                && tags
                    .iter()
                    .any(|key| it.tag(key) == Some(deployment.as_str()))
        };
        let mut own = things.instances.iter().filter(own);
        let gone = own.all(|it| it.state == InstanceState::Terminated);
        self.truly(gone, "gone is not gone")
    }

    fn weighed(&self) -> Result<(), Broken> {
        let things = self.world.things();
        let mut live: Vec<String> = things.weights.keys().cloned().collect();
        let groups = self.answer["groups"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mut told: Vec<String> = groups
            .iter()
            .filter_map(|group| group.as_str().map(str::to_owned))
            .collect();
        live.sort();
        told.sort();
        self.truly(live == told, "other groups are named")?;
        if self.invocation.act == Act::Detach {
            return Ok(());
        }
        let Ok(recorded) = self.invocation.document.recorded() else {
            return self.truly(false, "nothing was planned");
        };
        let pair = [&recorded.blue.environment, &recorded.green.environment];
        let [blue, green] = pair.map(|it| aws::weight(&things, aws::group(it)));
        let told = &self.answer["weights"];
        self.truly(
            told["blue"] == blue && told["green"] == green,
            "weights are others",
        )
    }

    /// Nothing but the deployment ends a server from here on.
    fn held(&self) -> Result<(), Broken> {
        let Ok(environment) = self.invocation.document.to_hold() else {
            return self.truly(false, "of nothing");
        };
        for group in &self.world.things().scaling {
            let own = self.members(group, environment);
            if own.is_empty() {
                continue;
            }
            let spared = ebbtide_rules::hold::SUSPENDED
                .iter()
                .all(|process| group.suspended.iter().any(|it| it == process));
            self.truly(spared, "its Auto Scaling group still acts")?;
            let mut unprotected = own.iter().filter(|it| !it.protected && it.is_protectable());
            self.truly(unprotected.next().is_none(), "a member is not protected")?;
        }
        Ok(())
    }

    fn members(
        &self,
        group: &ebbtide_rules::scaling::ScalingGroup,
        environment: &Environment,
    ) -> Vec<ebbtide_rules::scaling::ScalingMember> {
        let things = self.world.things();
        let mut targets = things.targets.iter();
        let targets = targets.find(|(arn, _)| environment.has(arn));
        let registered = |id: &str| {
            targets.is_some_and(|(_, targets)| {
                targets.iter().any(|it| it.registered && it.instance == id)
            })
        };
        let members = group.members.iter();
        members
            .filter(|member| registered(&member.instance))
            .cloned()
            .collect()
    }

    fn let_go(&self) -> Result<(), Broken> {
        let Ok(environment) = self.invocation.document.to_let_go() else {
            return self.truly(false, "of nothing");
        };
        for group in &self.world.things().scaling {
            let own = self.members(group, environment);
            let held = own.iter().any(|it| it.protected) || !group.suspended.is_empty();
            self.truly(own.is_empty() || !held, "its Auto Scaling group is held")?;
        }
        Ok(())
    }

    fn decided(&self, stood: &Stood) -> Result<(), Broken> {
        let answer: Answer = self.read()?;
        self.truly(!answer.reason.is_empty(), "it says no reason")?;
        let ends = matches!(
            answer.next,
            Next::Continued | Next::GreenRejected | Next::Promoted | Next::RolledBack
        );
        let ended = matches!(answer.doing, Doing::Ended(_));
        self.truly(ends == ended, "it ends and does not")?;
        if let Some(successor) = answer.successor() {
            let mut executions = self.world.executions.iter();
            let started = executions.any(|it| it.name == successor);
            self.truly(started, "nobody goes on")?;
        }
        self.alarm(&answer, stood)?;
        self.pause(stood)
    }

    /// What was paused when this was decided, or had a gate before it that nobody had opened, is where it was, or goes back.
    fn pause(&self, stood: &Stood) -> Result<(), Broken> {
        let fence = self.fence();
        let front = stood.record.front.as_ref();
        let Some(before) = front.filter(|front| front.owner.is(&fence)) else {
            return Ok(());
        };
        let paused = before.waits.as_ref().is_some_and(|it| it.at == Halt::Pause);
        let opened = |gate| {
            let Wishes {
                promote, approved, ..
            } = &before.wishes;
            promote.is_some() || approved.iter().any(|it| it.gate == gate)
        };
        let shut = |gate| paused || (before.plan.policy.approve.contains(&gate) && !opened(gate));
        let record = self.world.record();
        let deployment = &fence.deployment;
        let entry = record.entry_of(deployment);
        let promoted = entry.is_some_and(|it| it.outcome == Outcome::Promoted);
        let after = record.front_of(deployment);
        let switched = after.is_some_and(|it| it.phase == Phase::Switched);
        let stepped = after.is_some_and(|it| it.weights.green > before.weights.green);
        let moved = match before.phase {
            Phase::Claimed => switched && shut(Gate::Switch),
            Phase::Switched => (promoted && shut(Gate::Seal)) || (stepped && paused),
            _ => false,
        };
        demand(!moved, Rule::PausedStands, || {
            format!("{}: {:?}", self.call.state, before.waits)
        })
    }

    /// While the weights are watched, an alarm rolls back, and one that has cleared as well.
    fn alarm(&self, answer: &Answer, stood: &Stood) -> Result<(), Broken> {
        let front = stood.record.front.as_ref();
        let fence = self.fence();
        let watched = front.filter(|front| {
            front.owner.is(&fence)
                && front.owner.execution == self.invocation.execution
                && front.phase == Phase::Switched
                && !front.plan.policy.alarms.is_empty()
                && !front.wishes.promote.as_ref().is_some_and(|it| it.force)
        });
        let (Act::Pass, Some(front)) = (self.invocation.act, watched) else {
            return Ok(());
        };
        let fired = self.world.alarmed_at.is_some_and(|at| {
            let seen = front.course.alarms_seen_at;
            seen.is_some_and(|seen| at > seen)
        });
        let against = self.world.alarm || fired;
        // The same ask may have been answered before.
        let again = answer.at < self.world.now || self.world.record() == stood.record;
        demand(
            !against || again || answer.next == Next::RollBack,
            Rule::AlarmsRollBack,
            || format!("{}: {answer:?}", self.call.state),
        )
    }
}
