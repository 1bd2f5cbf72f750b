//! The Lambdas: each observes, asks `ebbtide-deployment` what to do, and acts, in the order of its own `lib.rs`.
//!
//! What is asynchronous in a Lambda is repeated here; what decides is called. Between two steps of a call anything may
//! happen: between a seal, its writing and its acknowledgement, and between the check of the record and an end. Moving
//! weights and tagging are one step with their check of the record: that window is the design's (rule 8), not covered.

use ebbtide_deployment::check::{Deadline, Question, Standing, conclude, standing, whom_to_seal};
use ebbtide_deployment::report::{
    Admission, Answer, NewerEpoch, Reading, SessionReport, UnknownReason,
};
use ebbtide_deployment::terminate::{self, Licence};
use ebbtide_deployment::weights::{self, Moments, Spans, Wanted, Weights};
use ebbtide_deployment::{Fence, Retiring, drain, hold, observed, resume};

use crate::model::Deployments;
use crate::properties::Rule;
use crate::server::{Life, Order, Sent, Server};
use crate::shipped::{self, CONFIRMED, SERVICE, TICK, environment, instance, moment};
use crate::variants::Variant;
use crate::world::{Call, Listed, Mark, Stage, Task, Turn, World};

/// What goes wrong with one step, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// None is when all goes well.
    None,
    /// Unread is when a server does not answer in time when it is read.
    Unread(usize),
    /// Late is when an order to a server does not arrive before everybody has given it up.
    Late(usize),
    /// Unheard is when a server obeys and its answer is lost.
    Unheard(usize),
    /// Unanswered is when the function's own answer is lost, or that of the table: the Task is done again.
    Unanswered,
}

/// What a step of a call led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is not over.
    Under(Call),
    /// It waits for a server's disk.
    Waits,
    /// The function failed; the Task fails uncaught.
    Failed,
    /// Green has too few healthy targets.
    GreenUnhealthy,
    /// Held and listed.
    Listed(Listed),
    /// Done, with nothing to tell.
    Done,
    /// Whether weights were changed.
    Switched(bool),
    /// Whether green is accepted.
    Tested(bool),
    /// Who sealed, and whether seals could be asked for.
    Checked(u8, bool),
    /// Whether nothing is left.
    Terminated(bool),
    /// Who has not opened.
    Resumed(u8),
}

/// One step of a call.
pub(crate) fn step(model: &Deployments, world: &mut World, call: Call, mishap: Mishap) -> Reply {
    let calling = Calling {
        model,
        call,
        mishap,
    };
    match call.task {
        Task::Hold(group) => calling.hold(world, group),
        Task::LetGo(group) => calling.let_go(world, group),
        Task::Switch(green) => calling.switch(world, green),
        Task::Launch => calling.launch(world),
        Task::Test(servers) => calling.test(world, servers),
        Task::Drain(listed) => calling.drain(world, listed),
        Task::Check(listed, may_seal) => calling.check(world, listed, may_seal),
        Task::Terminate { .. } => calling.terminate(world),
        Task::Resume(servers, minimum) => calling.resume(world, servers, minimum),
    }
}

struct Calling<'a> {
    model: &'a Deployments,
    call: Call,
    mishap: Mishap,
}

impl Calling<'_> {
    fn variant(&self) -> Variant {
        self.model.variant
    }

    fn fence(&self) -> Fence {
        shipped::fence(self.call.deployment, self.call.epoch)
    }

    fn admits(&self, world: &World) -> bool {
        self.variant() == Variant::RecordNotRead
            || world.shipped_record().admits(&self.fence()).is_ok()
    }

    /// Notes a change of AWS that the record does not allow at this moment.
    fn changes(&self, world: &mut World) {
        if world.shipped_record().admits(&self.fence()).is_err() {
            world.break_rule(Rule::OneOwner);
        }
    }

    fn hold(&self, world: &mut World, group: u8) -> Reply {
        let deployment = self.call.deployment;
        let tagged = |_: usize, server: &Server| server.retiring == Some(deployment);
        let seen = world.shipped_instances(group, tagged);
        if !self.admits(world) {
            return Reply::Failed;
        }
        let holder = hold::Holder::new(SERVICE, &self.fence(), &environment(group));
        let lacking = hold::missing(&seen, &[], &holder);
        if !lacking.is_none() {
            self.changes(world);
        }
        for server in world.of(shipped::set(&lacking.tags)) {
            world.servers[server].retiring = Some(deployment);
        }
        let seen = world.shipped_instances(group, tagged);
        let list = hold::list(&environment(group), &seen, CONFIRMED);
        let servers = shipped::set(list.servers.iter().map(|server| &server.instance));
        Reply::Listed(Listed { group, servers })
    }

    fn let_go(&self, world: &mut World, group: u8) -> Reply {
        if !self.admits(world) {
            return Reply::Failed;
        }
        let holder = hold::Holder::new(SERVICE, &self.fence(), &environment(group));
        let left = hold::left(&world.shipped_instances(group, |_, _| false), &[], &holder);
        if !left.is_none() {
            self.changes(world);
        }
        for server in world.of(shipped::set(&left.tagged)) {
            world.servers[server].retiring = None;
        }
        Reply::Done
    }

    fn switch(&self, world: &mut World, green: u8) -> Reply {
        let (blue_group, green_group) = (self.call.blue, 1 - self.call.blue);
        if self.call.ending.is_some() {
            return self.set(world, green);
        }
        let wanted = Wanted {
            blue: environment(blue_group),
            green: environment(green_group),
            weights: weights_of(green),
            minimum_healthy: u32::from(self.model.minimum),
            // Only SwitchBack says so, and while the record says that it rolls back no other call's epoch is admitted.
            back: self.variant() == Variant::SharesFall || world.record.stage == Stage::RollingBack,
        };
        if !self.admits(world) {
            return Reply::Failed;
        }
        let seen = weights::Observation {
            forward: world.shipped_forward(),
            blue_healthy: observed::healthy(&world.shipped_targets(blue_group)),
            green_healthy: observed::healthy(&world.shipped_targets(green_group)),
            switched: world.record.switched,
        };
        match weights::decide(&seen, &wanted) {
            Err(weights::Refusal::GreenUnhealthy(_)) => Reply::GreenUnhealthy,
            Err(_) => Reply::Failed,
            Ok(weights::Decision::Keep { .. }) => Reply::Switched(false),
            Ok(weights::Decision::Change { .. }) if self.model.window => self.to_end(0, Turn::End),
            Ok(weights::Decision::Change { .. }) => self.set(world, green),
        }
    }

    /// What `weights::decide` wants set is the two weights that were asked for.
    fn set(&self, world: &mut World, green: u8) -> Reply {
        self.changes(world);
        world.set_weight(self.call.blue, 100 - green);
        world.set_weight(1 - self.call.blue, green);
        Reply::Switched(true)
    }

    fn launch(&self, world: &mut World) -> Reply {
        if !self.admits(world) {
            return Reply::Failed;
        }
        self.changes(world);
        let green = 1 - self.call.blue;
        for server in &mut world.servers {
            if server.group == green && server.life == Life::Absent {
                *server = Server::new(green, Life::Up);
                server.launched_by = Some(self.call.deployment);
            }
        }
        Reply::Done
    }

    fn test(&self, world: &mut World, servers: u8) -> Reply {
        if self.any_writes(world, servers) {
            return Reply::Waits;
        }
        let fence = self.fence();
        let opened = world.of(servers).all(|server| {
            let answer = self.send(world, server, Order::Resume);
            resume::opening(&answer, &fence) == resume::Opening::Open
        });
        Reply::Tested(opened)
    }

    fn drain(&self, world: &mut World, listed: Listed) -> Reply {
        if self.any_writes(world, listed.servers) {
            return Reply::Waits;
        }
        let unsettled = self.variant() == Variant::DrainUnsettled;
        let moments = self.moments();
        let question = drain::Question {
            pace: match drain::Pace::try_from(20.0) {
                Ok(pace) => pace,
                Err(_) => return Reply::Failed,
            },
            settled_at: if unsettled {
                Some(CONFIRMED)
            } else {
                moments.settled_at
            },
            changed_at: None,
            baking: false,
            poll_seconds: 30,
        };
        let now = moment(self.call.age);
        if drain::not_settled(&question, now).is_some() {
            return Reply::Done;
        }
        let readings: Vec<Reading> = world
            .of(listed.servers)
            .map(|server| self.read(world, server))
            .collect();
        let reports: Vec<&SessionReport> = readings.iter().filter_map(Reading::report).collect();
        if NewerEpoch::refuse(&self.fence(), reports.iter().copied()).is_err() {
            return Reply::Failed;
        }
        let unknown = readings.len() - reports.len();
        if let drain::Decision::Order { orders, .. } =
            drain::decide(&reports, unknown, &question, now)
        {
            for server in world.of(shipped::set(orders.iter().map(|(instance, _)| instance))) {
                self.send(world, server, Order::Drain);
            }
        }
        Reply::Done
    }

    fn resume(&self, world: &mut World, servers: u8, minimum: u8) -> Reply {
        if self.any_writes(world, servers) {
            return Reply::Waits;
        }
        let fence = self.fence();
        let readings: Vec<Reading> = world
            .of(servers)
            .map(|server| self.read(world, server))
            .collect();
        if NewerEpoch::refuse(&fence, readings.iter().filter_map(Reading::report)).is_err() {
            return Reply::Failed;
        }
        let answers: Vec<Answer> = world
            .of(servers)
            .map(|server| self.send(world, server, Order::Resume))
            .collect();
        let asked: Vec<_> = world.of(servers).map(shipped_server).collect();
        match resume::conclude(&asked, &answers, usize::from(minimum), &fence, CONFIRMED) {
            Ok(resumed) => Reply::Resumed(shipped::set(
                resumed.waiting.iter().map(|server| &server.instance),
            )),
            Err(_) => Reply::Failed,
        }
    }

    /// Reads every server, asks one after the other to seal, and concludes.
    fn check(&self, world: &mut World, listed: Listed, may_seal: bool) -> Reply {
        let mut marks = match self.call.marks {
            None => match self.readings(world, listed, may_seal) {
                Some(marks) => marks,
                None => return Reply::Failed,
            },
            Some(mut marks) => {
                if let Some(asked) = marks.iter().position(|mark| *mark == Mark::Asked) {
                    match self.acknowledgement(world, asked) {
                        Some(mark) => marks[asked] = mark,
                        None => return Reply::Waits,
                    }
                } else if let Some(next) = marks.iter().position(|mark| *mark == Mark::ToAsk) {
                    if world.servers[next].is_writing() {
                        return Reply::Waits;
                    }
                    marks[next] = self.ask_to_seal(world, next);
                }
                marks
            }
        };
        if marks
            .iter()
            .any(|mark| matches!(mark, Mark::ToAsk | Mark::Asked))
        {
            return Reply::Under(Call {
                marks: Some(marks),
                ..self.call
            });
        }
        if self.variant() == Variant::TimeoutIsZero {
            for mark in &mut marks {
                if *mark == Mark::Unknown {
                    *mark = Mark::Sealed;
                }
            }
        }
        self.conclude(marks, listed, may_seal)
    }

    fn readings(&self, world: &World, listed: Listed, may_seal: bool) -> Option<[Mark; 4]> {
        let phase = ebbtide_deployment::wait::Phase::at(
            moment(self.call.age),
            self.moments().settled_at,
            self.moments().baked_at,
            may_seal,
        );
        let mut marks = [Mark::Unlisted; 4];
        let mut reports = Vec::new();
        for server in world.of(listed.servers) {
            let reading = self.read(world, server);
            let asked = whom_to_seal(&reading, phase);
            marks[server] = match &reading {
                Reading::Unknown(_) => Mark::Unknown,
                Reading::Report(_) if !asked => Mark::Held,
                Reading::Report(_) => match self.variant() {
                    Variant::NoSeal | Variant::RecheckNotSeal => Mark::Sealed,
                    _ => Mark::ToAsk,
                },
            };
            reports.extend(reading.report().cloned());
        }
        NewerEpoch::refuse(&self.fence(), &reports).ok()?;
        Some(marks)
    }

    fn ask_to_seal(&self, world: &mut World, server: usize) -> Mark {
        let answer = self.send(world, server, Order::Seal);
        match answer {
            // The server answers when its disk has.
            Answer::Report(_) => Mark::Asked,
            answer => self.mark(standing(
                counted_nothing(server),
                Some(answer),
                &self.fence(),
            )),
        }
    }

    fn acknowledgement(&self, world: &World, server: usize) -> Option<Mark> {
        let asked = &world.servers[server];
        if asked.is_writing() {
            return None;
        }
        let answer = if asked.life != Life::Up || self.mishap == Mishap::Unheard(server) {
            Answer::Unknown(UnknownReason::Broken)
        } else {
            let mut report = asked.report(instance(server), self.variant());
            if self.variant() == Variant::SealNotAtomic {
                (report.busy, report.idle) = (0, 0);
            }
            Answer::Report(report)
        };
        let stands = standing(counted_nothing(server), Some(answer), &self.fence());
        Some(self.mark(stands))
    }

    fn mark(&self, standing: Standing) -> Mark {
        match standing {
            Standing::Sealed(_) => Mark::Sealed,
            Standing::Held(report) if report.epoch > u64::from(self.call.epoch) => Mark::Newer,
            Standing::Held(_) => Mark::Held,
            Standing::Unknown(_) => Mark::Unknown,
        }
    }

    fn conclude(&self, marks: [Mark; 4], listed: Listed, may_seal: bool) -> Reply {
        let fence = self.fence();
        let report = |server, epoch| SessionReport {
            epoch,
            ..empty(server)
        };
        let standings: Vec<(String, Standing)> = (0..marks.len())
            .filter_map(|server| {
                let standing = match marks[server] {
                    Mark::Unlisted | Mark::ToAsk | Mark::Asked => return None,
                    Mark::Sealed => Standing::Sealed(report(server, fence.epoch)),
                    Mark::Held => Standing::Held(report(server, fence.epoch)),
                    Mark::Newer => Standing::Held(report(server, fence.epoch + 1)),
                    Mark::Unknown => Standing::Unknown(UnknownReason::TimedOut),
                };
                Some((instance(server).to_owned(), standing))
            })
            .collect();
        let moments = self.moments();
        let retiring = Retiring {
            environment: environment(listed.group),
            servers: Vec::new(),
            gone: Vec::new(),
            waiting_to_end: Vec::new(),
            listed_at: CONFIRMED,
        };
        let question = Question {
            fence: &fence,
            retiring: &retiring,
            settled_at: moments.settled_at,
            baked_at: moments.baked_at,
            step_began_at: None,
            step_ends_at: moments.step_ends_at,
            may_seal,
            deadline: Deadline {
                at: moments.deadline_at,
                term_seconds: 86_400,
                redrives: 0,
            },
            poll_seconds: 30,
            previous: None,
            refused: &[],
        };
        match conclude(&standings, &question, moment(self.call.age)) {
            Ok(check) => {
                Reply::Checked(shipped::set(&check.sealed), !check.baking && check.settled)
            }
            Err(_) => Reply::Failed,
        }
    }

    fn terminate(&self, world: &mut World) -> Reply {
        match self.call.ending {
            None => {
                if !self.admits(world) {
                    return Reply::Failed;
                }
                let decision = terminate::decide(&self.seen(world), &self.order());
                let chosen = shipped::set(&decision.terminate);
                if chosen == 0 {
                    return self.rest(world);
                }
                self.to_end(chosen, Turn::Deregister)
            }
            Some((0, _)) => self.rest(world),
            Some((chosen, Turn::Deregister)) => {
                for server in world.of(chosen) {
                    self.may_end(world, server);
                    world.servers[server].registered = false;
                }
                self.to_end(chosen, Turn::Read)
            }
            Some((chosen, Turn::Read)) => {
                if !self.admits(world) {
                    return Reply::Failed;
                }
                let first = chosen.trailing_zeros() as usize;
                let recheck = self.variant() == Variant::RecheckNotSeal;
                if recheck && world.servers[first].holds() {
                    self.without(world, chosen, first)
                } else {
                    self.to_end(chosen, Turn::End)
                }
            }
            Some((chosen, Turn::End)) => {
                let first = chosen.trailing_zeros() as usize;
                if world.servers[first].is_live() {
                    self.may_end(world, first);
                    world.servers[first].end();
                }
                self.without(world, chosen, first)
            }
        }
    }

    fn without(&self, world: &World, chosen: u8, server: usize) -> Reply {
        let others = chosen & !(1 << server);
        if others == 0 {
            self.rest(world)
        } else {
            self.to_end(others, Turn::Read)
        }
    }

    fn to_end(&self, chosen: u8, turn: Turn) -> Reply {
        Reply::Under(Call {
            ending: Some((chosen, turn)),
            ..self.call
        })
    }

    /// Notes what an end breaks.
    fn may_end(&self, world: &mut World, number: usize) {
        let Task::Terminate { never_served, .. } = self.call.task else {
            return;
        };
        let server = world.servers[number];
        if server.holds() {
            world.break_rule(Rule::NothingCut);
        }
        let licensed = if never_served {
            !server.served
        } else {
            server.promised == Some(self.call.deployment)
        };
        if !licensed {
            world.break_rule(Rule::EndedSealed);
        }
        let retiring = never_served || server.retiring == Some(self.call.deployment);
        if !retiring || world.weights[usize::from(server.group)] > 0 {
            world.break_rule(Rule::EndedRetiring);
        }
    }

    fn order(&self) -> terminate::Order {
        let Task::Terminate {
            listed,
            sealed,
            never_served,
            of,
        } = self.call.task
        else {
            unreachable!("only terminate-blue orders an end");
        };
        terminate::Order {
            deployment: shipped::deployment(of).to_owned(),
            environment: environment(listed.group),
            licence: if never_served {
                Licence::NeverServed
            } else {
                Licence::Sealed
            },
            sealed: (0..4)
                .filter(|server| sealed & (1 << server) != 0)
                .map(|server| instance(server).to_owned())
                .collect(),
        }
    }

    fn seen(&self, world: &World) -> terminate::Observation {
        let Task::Terminate {
            listed,
            sealed,
            never_served,
            of,
        } = self.call.task
        else {
            unreachable!("only terminate-blue orders an end");
        };
        let chosen = |number: usize, server: &Server| {
            let tag = if never_served {
                server.launched_by
            } else {
                server.retiring
            };
            tag == Some(of) || (listed.servers | sealed) & (1 << number) != 0
        };
        terminate::Observation {
            instances: world.shipped_instances(listed.group, chosen),
            unseen: Vec::new(),
            targets: world.shipped_targets(listed.group),
            weighted: world.shipped_weighted(),
            switched: world.record.switched,
        }
    }

    fn rest(&self, world: &World) -> Reply {
        let seen = self.seen(world);
        let order = self.order();
        let rest = terminate::rest(&seen);
        let refused = terminate::decide(&seen, &order).refused;
        if order.licence == Licence::NeverServed && !refused.is_empty() {
            return Reply::Failed;
        }
        Reply::Terminated(rest.empty)
    }

    fn read(&self, world: &World, server: usize) -> Reading {
        if self.mishap == Mishap::Unread(server) {
            return Reading::Unknown(UnknownReason::TimedOut);
        }
        world.servers[server].read(instance(server), self.variant())
    }

    fn send(&self, world: &mut World, number: usize, order: Order) -> Answer {
        let sent = Sent {
            order,
            deployment: self.call.deployment,
            epoch: self.call.epoch,
        };
        let server = &mut world.servers[number];
        if self.mishap == Mishap::Late(number) {
            server.late = Some(sent);
            return Answer::Unknown(UnknownReason::TimedOut);
        }
        let answer = server.take(sent, instance(number), self.variant());
        if self.mishap == Mishap::Unheard(number) {
            return Answer::Unknown(UnknownReason::TimedOut);
        }
        answer
    }

    fn any_writes(&self, world: &World, servers: u8) -> bool {
        world
            .of(servers)
            .any(|server| world.servers[server].is_writing())
    }

    /// The moments that `switch-target-group` answered for these weights.
    fn moments(&self) -> Moments {
        let spans = Spans {
            step: TICK,
            settle: TICK,
            bake: if self.call.bakeless { 0 } else { 2 * TICK },
            deadline: 86_400,
        };
        let weights = if self.call.in_step {
            weights_of(50)
        } else {
            weights_of(100)
        };
        Moments::count(CONFIRMED, weights, &spans)
    }
}

/// The two weights, by green's.
fn weights_of(green: u8) -> Weights {
    Weights {
        blue: u32::from(100 - green),
        green: u32::from(green),
    }
}

fn empty(server: usize) -> SessionReport {
    SessionReport {
        instance: instance(server).to_owned(),
        admission: Admission::Draining,
        epoch: 0,
        busy: 0,
        idle: 0,
        closed: 0,
        oldest_busy_seconds: 0,
    }
}

/// The reading of a server that was asked to seal: whoever counts anything is not asked.
fn counted_nothing(server: usize) -> Reading {
    Reading::Report(empty(server))
}

fn shipped_server(number: usize) -> ebbtide_deployment::Server {
    ebbtide_deployment::Server {
        instance: instance(number).to_owned(),
        ip: String::new(),
    }
}
