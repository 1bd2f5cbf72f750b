//! The calls that change tags, weights and launches, each admitted by the record: decided first, and changed next.

use ebbtide_rules::document::Act;
use ebbtide_rules::launch::{self, Launched};
use ebbtide_rules::record::{Doing, Front, Phase, Wishes, Work};
use ebbtide_rules::weights::{Confirmed, Serving, Spans, Wanted, Weights};
use ebbtide_rules::{Environment, ErrorName, Failure as _, hold, observed, weights};

use super::{Calling, Returned, Told};
use crate::clock::NOW;
use crate::properties::Rule;
use crate::server::{Life, Server};
use crate::shipped::{SERVICE, environment, group_of, number_of, target_group};
use crate::variants::Variant;
use crate::world::{Call, Effect, World};

impl Calling<'_> {
    pub(super) fn hold(&self, world: &mut World) -> Option<Returned> {
        let environment = self.document.to_hold().ok()?;
        let seen = self.held(world, environment);
        if !self.admits(world, Work::Hold(environment)) {
            return Some(Returned::Failed(ErrorName::Superseded));
        }
        let lacking = hold::missing(&seen, &[], &self.holder(environment));
        if lacking.is_none() {
            return Some(self.listed(world, environment));
        }
        self.changes(world, Work::Hold(environment));
        Some(self.decided_on(world, Effect::Hold(world.set_of(&lacking.tags))))
    }

    pub(super) fn let_go(&self, world: &mut World) -> Option<Returned> {
        let environment = self.document.to_let_go().ok()?;
        if !self.admits(world, Work::LetGo(environment)) {
            return Some(Returned::Failed(ErrorName::Superseded));
        }
        let group = group_of(target_group(environment));
        let seen = world.shipped_instances(group, |_, _| false);
        let left = hold::left(&seen, &[], &self.holder(environment));
        if left.is_none() {
            return Some(self.listed(world, environment));
        }
        self.changes(world, Work::LetGo(environment));
        Some(self.decided_on(world, Effect::LetGo(world.set_of(&left.tagged))))
    }

    pub(super) fn launch(&self, world: &mut World) -> Option<Returned> {
        if !self.admits(world, Work::Green) {
            return Some(Returned::Failed(ErrorName::Superseded));
        }
        let green = &self.document.recorded().ok()?.green.environment;
        let group = group_of(target_group(green));
        if self.has_launched(world) {
            self.register(world, group);
            return Some(self.launched(world, green));
        }
        self.changes(world, Work::Green);
        Some(self.decided_on(world, Effect::Launch(group)))
    }

    pub(super) fn weigh(&self, world: &mut World) -> Option<Returned> {
        let work = match self.act {
            Act::Attach => Work::Green,
            Act::Weigh => Work::Weights,
            Act::WeighBack => Work::WeightsBack,
            _ => Work::Detach,
        };
        if !self.admits(world, work) {
            return Some(Returned::Failed(ErrorName::Superseded));
        }
        let front = self.front(world)?;
        let wanted = self.wanted(world, &front);
        let (blue, green) = (&front.plan.blue.environment, &front.plan.green.environment);
        let healthy = |of: &Environment| {
            observed::healthy(&world.shipped_targets(group_of(target_group(of))))
        };
        let seen = weights::Observation {
            forward: world.shipped_forward(),
            blue_healthy: healthy(blue),
            green_healthy: healthy(green),
            occupied: world.occupied(),
        };
        Some(match weights::decide(&seen, &wanted) {
            Err(refused) => Returned::Failed(refused.name()),
            Ok(weights::Decision::Keep { .. }) => self.switched(world, &front, false),
            Ok(weights::Decision::Change { groups, .. }) => {
                self.changes(world, work);
                let mut set = [None; 3];
                for group in groups {
                    let weight = u8::try_from(group.weight).unwrap_or(u8::MAX);
                    set[usize::from(group_of(&group.target_group_arn))] = Some(weight);
                }
                self.decided_on(world, Effect::Set(set))
            }
        })
    }

    /// The front, as the record has it; a variant that does not read it goes by the document.
    fn front(&self, world: &World) -> Option<Front> {
        let document = match self.variant() {
            Variant::RecordNotRead | Variant::SharesFall | Variant::TwoWriters => self.document,
            _ => return world.record().front.clone(),
        };
        let record = world.record().front.as_ref();
        if self.variant() == Variant::TwoWriters && self.act != Act::Detach {
            return record.cloned();
        }
        let mut front = record.cloned().unwrap_or_else(|| self.own_front(world));
        front.plan = document.recorded().ok()?.clone();
        if let Some(Doing::Watching { weights }) = document.record.as_ref().map(|it| &it.doing) {
            front.weights = *weights;
        }
        Some(front)
    }

    fn own_front(&self, world: &World) -> Front {
        let Some(entry) = world.record().retiring.first() else {
            unreachable!("a front is invented for a variant only while something retires");
        };
        Front {
            owner: entry.owner.clone(),
            phase: Phase::Claimed,
            plan: entry.plan.clone(),
            weights: Weights { blue: 0, green: 0 },
            course: entry.course.clone(),
            wishes: Wishes::default(),
            waits: None,
        }
    }

    fn wanted(&self, world: &World, front: &Front) -> Wanted {
        let mut wanted = Wanted::of(front, world.record(), self.act, 0);
        if let (Variant::SharesFall, Serving::Pair { back, .. }) =
            (self.variant(), &mut wanted.serving)
        {
            *back = true;
        }
        wanted
    }

    fn decided_on(&self, world: &mut World, effect: Effect) -> Returned {
        let call = Call {
            effect: Some(effect),
            ..self.call
        };
        let parted = matches!(effect, Effect::Set(_)) && self.model.window;
        if parted || self.mishap == super::Mishap::Decided {
            return Returned::Under(call);
        }
        let done = Calling {
            call,
            fence: self.fence.clone(),
            ..*self
        }
        .effect(world);
        done.unwrap_or(Returned::Failed(ErrorName::InvalidInput))
    }

    /// Does what was decided; the record is not read again.
    pub(super) fn effect(&self, world: &mut World) -> Option<Returned> {
        match self.call.effect? {
            Effect::Set(set) => {
                self.note_unemptied(world, set);
                world.set(set);
                if self.act == Act::WeighBack {
                    self.note_missed(world);
                }
                let front = self
                    .front(world)
                    .filter(|front| front.owner.is(&self.fence));
                Some(match front {
                    Some(front) => self.switched(world, &front, true),
                    // Nobody waits for the answer of a call that acts so late.
                    None => Returned::Failed(ErrorName::Superseded),
                })
            }
            Effect::Hold(servers) => {
                for server in world.of(servers) {
                    world.servers[server].retiring = Some(number_of(&self.fence.deployment));
                }
                Some(self.listed(world, self.document.to_hold().ok()?))
            }
            Effect::LetGo(servers) => {
                for server in world.of(servers) {
                    world.servers[server].retiring = None;
                }
                Some(self.listed(world, self.document.to_let_go().ok()?))
            }
            Effect::Launch(group) => {
                if !self.has_launched(world) {
                    self.launches(world, group);
                }
                Some(self.launched(world, environment(group)))
            }
        }
    }

    /// AWS ends the connections of a group that leaves the action.
    fn note_unemptied(&self, world: &mut World, set: [Option<u8>; 3]) {
        let left = |group: u8| {
            let index = usize::from(group);
            world.weights[index].is_some() && set[index].is_none()
        };
        let holds = world.servers.iter().any(|server| {
            left(server.group) && server.registered && server.served && !server.is_sealed()
        });
        if holds {
            world.break_rule(Rule::NothingCut);
        }
    }

    /// Blue servers that a rollback could not reach yet turn users away until they are.
    fn note_missed(&self, world: &mut World) {
        let epoch = self.fence.epoch;
        let weights = world.weights;
        for server in &mut world.servers {
            let weighted = weights[usize::from(server.group)].unwrap_or(0) > 0;
            server.missed = weighted && server.is_live() && u64::from(server.epoch) < epoch;
        }
    }

    fn has_launched(&self, world: &World) -> bool {
        world.launched & (1 << number_of(&self.fence.deployment)) != 0
    }

    fn launches(&self, world: &mut World, group: u8) {
        let by = number_of(&self.fence.deployment);
        world.launched |= 1 << by;
        for number in 0..world.servers.len() {
            let server = &world.servers[number];
            let free = matches!(server.life, Life::Absent | Life::Gone);
            if server.group == group && free {
                world.forget(number);
                world.servers[number] = Server::new(group, Life::Up, self.model.endpoint);
                world.servers[number].launched_by = Some(by);
            }
        }
    }

    /// Registers what was launched and is no target any more, because an end of it was begun and not made.
    fn register(&self, world: &mut World, group: u8) {
        let by = Some(number_of(&self.fence.deployment));
        let lacks = |server: &Server| {
            let own = server.group == group && server.launched_by == by;
            own && server.is_live() && !server.registered
        };
        if !world.servers.iter().any(lacks) {
            return;
        }
        self.changes(world, Work::Green);
        for server in world.servers.iter_mut().filter(|server| lacks(server)) {
            server.registered = true;
        }
    }

    fn launched(&self, world: &World, green: &Environment) -> Returned {
        let group = group_of(target_group(green));
        let by = Some(number_of(&self.fence.deployment));
        let own = |server: &Server| server.launched_by == by && server.is_live();
        let servers = (0..world.servers.len())
            .filter(|number| world.servers[*number].group == group && own(&world.servers[*number]))
            .map(|number| world.listed(number));
        Returned::Answer(Told::Launched(Launched {
            verdict: launch::Verdict::Healthy,
            reason: String::new(),
            wait_seconds: 0,
            environment: green.clone(),
            servers: servers.collect(),
            healthy: 0,
            wanted: 0,
            launching: Default::default(),
        }))
    }

    fn holder(&self, environment: &Environment) -> hold::HeldFor {
        hold::HeldFor::new(SERVICE, &self.fence, environment)
    }

    fn held(&self, world: &World, environment: &Environment) -> Vec<observed::Instance> {
        let deployment = Some(number_of(&self.fence.deployment));
        let group = group_of(target_group(environment));
        world.shipped_instances(group, |_, server| server.retiring == deployment)
    }

    fn listed(&self, world: &World, environment: &Environment) -> Returned {
        let seen = self.held(world, environment);
        Returned::Answer(Told::Listed(hold::list(environment, &seen, &[], NOW)))
    }

    fn switched(&self, world: &World, front: &Front, changed: bool) -> Returned {
        let former = match self.act {
            Act::Attach => self.document.attach.as_ref(),
            Act::Weigh => self.document.switch.as_ref(),
            Act::WeighBack => self.document.back.as_ref(),
            _ => self.document.detached.as_ref(),
        };
        let spans = Spans::of(&front.plan.policy, self.act == Act::WeighBack);
        let late = self.invocation(world).weights_unanswered_until(NOW);
        let confirmed = Confirmed {
            began_at: NOW,
            read_at: NOW,
            epoch: self.fence.epoch,
            forwards: vec![world.shipped_forward()],
            changed,
            blue_healthy: 0,
            green_healthy: 0,
            // Nobody but deployments moves weights here, and none of their calls is late three times.
            repairs: Default::default(),
        };
        let kept = former.map(|former| &former.answer);
        let answer = confirmed.answer(&front.plan, kept, &spans, late);
        Returned::Answer(Told::Switched(answer))
    }
}
