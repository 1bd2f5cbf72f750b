//! The checked system: a configuration, and every step that anybody may take in a state of its world.

use ebbtide_deployment::input::{TakeOver, Then};
use ebbtide_deployment::plan;
use stateright::{Model, Property};
use tunnel::admission::{Event, Mode};

use crate::calls::{self, Mishap};
use crate::properties::{self, Rule};
use crate::server::{Life, Order, Sent, Server};
use crate::shipped;
use crate::variants::Variant;
use crate::workflow;
use crate::world::{At, Execution, Listed, Mark, Recorded, Stage, Status, Task, World};

/// Who may come beside the first execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// Nobody is when there is one execution.
    Nobody,
    /// TakesOver is when a second execution of the same deployment may take it over.
    TakesOver,
    /// Deploys is when a second deployment may supersede or follow the first.
    Deploys,
}

/// A configuration: the bounds of the world, and the protocol.
#[derive(Clone, Debug)]
pub struct Deployments {
    /// What it is called.
    pub name: &'static str,
    /// Blue's servers.
    pub blue: u8,
    /// Green's servers.
    pub green: u8,
    /// Instances that Auto Scaling may launch for blue at any moment.
    pub launches: u8,
    /// The most sessions on a server.
    pub sessions: u8,
    /// The most requests that a server carries for another.
    pub carried: u8,
    /// The most faults.
    pub faults: u8,
    /// The most calls that nobody waits for.
    pub strays: u8,
    /// The least open servers that a group with weight needs.
    pub minimum: u8,
    /// Whether alarms may fire.
    pub alarms: bool,
    /// Whether an operator may wish to roll back.
    pub wishes: bool,
    /// Green's share, step by step.
    pub steps: &'static [u8],
    /// Whether anything may happen between the reading of the record and the setting of weights too. Then only those
    /// rules are checked that the window of rule 8 must not break.
    pub window: bool,
    /// The second execution.
    pub second: Second,
    /// The protocol.
    pub variant: Variant,
}

/// A step of somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A new session, in use, sent by the load balancer.
    Arrive(usize),
    /// A new session although the load balancer had settled: it was slower than its setting. A fault.
    Straggle(usize),
    /// A busy session goes idle.
    Rest(usize),
    /// An idle session is used.
    Use(usize),
    /// A busy session ends.
    Leave(usize),
    /// An idle session ends, by itself or by an order.
    Close(usize),
    /// A request comes that is carried for another server.
    Carry(usize),
    /// Such a request ends.
    Carried(usize),
    /// The load balancer has settled.
    Settle,
    /// Time passes: half a bake, and what it takes to settle.
    Tick,
    /// A seal is written to the disk.
    Write(usize),
    /// The process dies. A fault.
    Crash(usize),
    /// The process starts again.
    Start(usize),
    /// A late order arrives.
    Deliver(usize),
    /// An operator opens a server by hand. A fault.
    OpenByHand(usize),
    /// An operator terminates an instance that hangs, in an environment that is being drained.
    Lose(usize),
    /// Auto Scaling launches an instance.
    Launch(usize),
    /// An operator asks to roll back.
    Wish,
    /// An alarm fires while an execution bakes.
    Alarm(usize),
    /// Green is found unfit before any weight moves.
    Reject(usize),
    /// An execution takes its next step.
    Go(usize, Mishap),
    /// A Task's call is given up, and its execution with it; the call may yet do everything. A fault.
    Abandon(usize),
    /// An operator redrives.
    Redrive(usize),
    /// The second execution is started; true to roll back what it takes over.
    Begin(usize, bool),
    /// A call that nobody waits for takes its next step.
    Stray(usize),
}

impl Action {
    /// Whether it uses up a fault.
    pub fn is_fault(self) -> bool {
        match self {
            Self::Straggle(_) | Self::Crash(_) | Self::OpenByHand(_) | Self::Abandon(_) => true,
            Self::Go(_, mishap) => mishap != Mishap::None,
            _ => false,
        }
    }
}

impl World {
    /// Sets a group's weight; sessions may still come for a while to one that loses it.
    pub(crate) fn set_weight(&mut self, group: u8, weight: u8) {
        let index = usize::from(group);
        if weight == 0 && self.weights[index] > 0 {
            self.stale[index] = true;
        }
        if weight > 0 {
            self.stale[index] = false;
            for server in self
                .servers
                .iter_mut()
                .filter(|server| server.group == group)
            {
                server.served |= server.is_live();
            }
        }
        self.weights[index] = weight;
    }
}

impl World {
    /// A number is used again for another instance, with an id of its own: nobody who knew the former means this one.
    fn forget(&mut self, number: usize) {
        let others = !(1 << number);
        for call in &mut self.strays {
            match &mut call.task {
                Task::Drain(listed) | Task::Check(listed, _) => listed.servers &= others,
                Task::Terminate { listed, sealed, .. } => {
                    listed.servers &= others;
                    *sealed &= others;
                }
                Task::Resume(servers, _) | Task::Test(servers) => *servers &= others,
                Task::Hold(_) | Task::LetGo(_) | Task::Switch(_) | Task::Launch => {}
            }
            if let Some(marks) = &mut call.marks {
                marks[number] = Mark::Unlisted;
            }
            if let Some((chosen, _)) = &mut call.ending {
                *chosen &= others;
            }
        }
    }
}

impl Deployments {
    /// The step of traffic after this weight of green's.
    pub(crate) fn step_after(&self, from: u8) -> u8 {
        self.steps
            .iter()
            .copied()
            .find(|step| *step > from)
            .unwrap_or(100)
    }

    /// How old the weights are when the bake is over.
    pub(crate) fn baked_age(&self) -> u8 {
        2
    }

    /// The epoch of a rollback.
    pub(crate) fn epoch_after(&self, epoch: u8) -> u8 {
        if self.variant == Variant::NoEpochAtRollback {
            epoch
        } else {
            epoch + 1
        }
    }

    /// The protocol without one of its mechanisms.
    pub fn without(&self, variant: Variant) -> Self {
        Self {
            variant,
            ..self.clone()
        }
    }

    fn world(&self) -> World {
        let mut servers = Vec::new();
        for _ in 0..self.blue {
            let mut server = Server::new(0, Life::Up);
            server.served = true;
            servers.push(server);
        }
        for _ in 0..self.green {
            let mut server = Server::new(1, Life::Up);
            server.launched_by = Some(0);
            servers.push(server);
        }
        for _ in 0..self.launches {
            servers.push(Server::new(0, Life::Absent));
        }
        let first = Execution {
            status: Status::Running,
            at: At::AttachGreen,
            deployment: 0,
            blue: 0,
            seen: None,
            epoch: 1,
            then_roll_back: false,
            retiring: Listed {
                group: 0,
                servers: 0,
            },
            switched: None,
            age: 0,
            bakeless: false,
            baked: false,
            rolling: false,
            rejected: false,
            waiting: 0,
            sealed: 0,
            may_terminate: false,
            call: None,
        };
        let mut executions = vec![first.clone()];
        if self.second != Second::Nobody {
            executions.push(Execution {
                status: Status::Waiting,
                deployment: u8::from(self.second == Second::Deploys),
                epoch: 0,
                ..first
            });
        }
        World {
            servers,
            weights: [100, 0],
            stale: [false, false],
            lost: [0, 0],
            record: Recorded {
                owner: Some(0),
                execution: 0,
                epoch: 1,
                stage: Stage::Claimed,
                switched: false,
                blue: 0,
                wish: false,
                clearing: None,
                last: None,
            },
            executions,
            strays: Vec::new(),
            faults: self.faults,
            broken: 0,
        }
    }

    fn users(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let server = &world.servers[number];
        if server.life != Life::Up {
            return;
        }
        let room = server.busy + server.idle < self.sessions;
        if room && world.is_routed(server) {
            actions.push(Action::Arrive(number));
        } else if room
            && world.faults > 0
            && server.registered
            && server.served
            && server.admission.mode == Mode::Open
        {
            actions.push(Action::Straggle(number));
        }
        if server.busy > 0 {
            actions.push(Action::Rest(number));
            actions.push(Action::Leave(number));
        }
        if server.idle > 0 {
            actions.push(Action::Use(number));
            actions.push(Action::Close(number));
        }
        if server.carried < self.carried && server.served {
            actions.push(Action::Carry(number));
        }
        if server.carried > 0 {
            actions.push(Action::Carried(number));
        }
    }

    fn fate(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let server = &world.servers[number];
        match server.life {
            Life::Up => {
                if server.sealing.is_some() {
                    actions.push(Action::Write(number));
                }
                if server.late.is_some() && !server.is_writing() {
                    actions.push(Action::Deliver(number));
                }
                if world.faults > 0 {
                    actions.push(Action::Crash(number));
                    if server.admission.mode != Mode::Open && !server.is_writing() {
                        actions.push(Action::OpenByHand(number));
                    }
                }
            }
            Life::Down => {
                actions.push(Action::Start(number));
                let draining = matches!(world.record.stage, Stage::Draining | Stage::RollingBack);
                let retiring =
                    world.record.owner.is_some() && server.retiring == world.record.owner;
                if draining
                    && retiring
                    && !world.is_routed(server)
                    && self.is_drained(world, server.group)
                {
                    actions.push(Action::Lose(number));
                }
            }
            Life::Absent if server.group == 0 && self.launches > 0 => {
                actions.push(Action::Launch(number));
            }
            Life::Absent | Life::Gone => {}
        }
    }

    /// Whether the owner is draining a group now, so that an operator may give up a server of it.
    fn is_drained(&self, world: &World, group: u8) -> bool {
        let execution = &world.executions[usize::from(world.record.execution)];
        // A rollback still needs blue: one that has lost too many waits for an operator to add servers and take it over.
        let back = execution.rolling || execution.at == At::RollBack;
        let needed = back && group == execution.blue;
        execution.retiring.group == group
            && execution.baked
            && execution.switched.is_some()
            && !needed
    }

    fn mishaps(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let execution = &world.executions[number];
        actions.push(Action::Go(number, Mishap::None));
        if world.faults == 0 {
            return;
        }
        let mut each = |servers: u8, mishaps: &[fn(usize) -> Mishap]| {
            for server in world
                .of(servers)
                .filter(|server| world.servers[*server].life == Life::Up)
            {
                let late = world.servers[server].late.is_some();
                for mishap in mishaps {
                    let mishap = mishap(server);
                    if !(late && matches!(mishap, Mishap::Late(_))) {
                        actions.push(Action::Go(number, mishap));
                    }
                }
            }
        };
        let listed = execution.retiring.servers;
        match execution.at {
            At::DrainIdle => each(listed, &[Mishap::Late, Mishap::Unread]),
            At::ResumeBlue => each(listed, &[Mishap::Late, Mishap::Unheard]),
            At::ResumeBlueAgain => each(execution.waiting, &[Mishap::Late]),
            At::CheckDrained => {
                use crate::world::Mark;
                let Some(marks) = execution.call.and_then(|call| call.marks) else {
                    return each(listed, &[Mishap::Unread]);
                };
                // The call's next step concerns one server only.
                let at = |mark| marks.iter().position(|found| *found == mark);
                if let Some(asked) = at(Mark::Asked) {
                    each(1 << asked, &[Mishap::Unheard]);
                } else if let Some(next) = at(Mark::ToAsk) {
                    each(1 << next, &[Mishap::Late]);
                }
            }
            At::TerminateBlue | At::RejectGreen | At::ClearGreen | At::TestGreen => {}
            At::WaitOutOwner | At::WaitOutExecution => {}
            _ => actions.push(Action::Go(number, Mishap::Unanswered)),
        }
    }

    fn execution(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let execution = &world.executions[number];
        match execution.status {
            Status::Running => {
                self.mishaps(world, number, actions);
                if execution.at == At::TestGreen && execution.call.is_none() {
                    actions.push(Action::Reject(number));
                }
                if self.alarms && execution.at == At::ConfirmWeights && execution.call.is_none() {
                    actions.push(Action::Alarm(number));
                }
                if world.faults > 0 && world.strays.len() < usize::from(self.strays) {
                    actions.push(Action::Abandon(number));
                }
            }
            Status::Stopped => actions.push(Action::Redrive(number)),
            Status::Waiting => {
                actions.push(Action::Begin(number, false));
                if self.second == Second::TakesOver {
                    actions.push(Action::Begin(number, true));
                }
            }
            Status::Ended(_) => {}
        }
    }

    fn wish(&self, world: &mut World) -> bool {
        let Some(owner) = world.record.owner else {
            return false;
        };
        let running =
            world.executions[usize::from(world.record.execution)].status == Status::Running;
        let wished = plan::roll_back(&world.shipped_record(), shipped::deployment(owner)).is_ok();
        // The condition of AskToRollBack.
        let in_time = matches!(
            world.record.stage,
            Stage::Claimed | Stage::Switching | Stage::Baking
        );
        let fresh = self.wishes && running && wished && in_time && !world.record.wish;
        world.record.wish |= fresh;
        fresh
    }

    /// PlanDeployment of the second execution, and the choices after it.
    fn begin(&self, world: &mut World, number: usize, roll_back: bool) -> bool {
        let record = world.shipped_record();
        let me = &world.executions[number];
        let name = shipped::deployment(me.deployment);
        let arn = shipped::execution(u8::try_from(number).unwrap_or(0));
        let other = plan::owner(&record, name, arn);
        let owner_runs = world.record.owner.is_some()
            && world.executions[usize::from(world.record.execution)].status == Status::Running;
        let seen = &world.record;
        let clearing = seen.clearing.or(seen.owner);
        let mut planned = Execution {
            status: Status::Running,
            seen: Some((
                seen.epoch,
                seen.execution,
                seen.stage,
                seen.switched,
                clearing,
            )),
            then_roll_back: roll_back,
            ..me.clone()
        };
        match (self.second, other) {
            (Second::TakesOver, Some(_)) if !owner_runs => {
                let asked = TakeOver {
                    deployment: name.to_owned(),
                    then: if roll_back {
                        Then::RollBack
                    } else {
                        Then::Continue
                    },
                };
                match plan::take_over(&record, &asked) {
                    // The model's record carries no plan; everything else is as it must be.
                    Ok(_) | Err(plan::Unready::NoPlan { .. }) => {}
                    Err(_) => return false,
                }
                planned.blue = seen.blue;
                let green = world.weights[usize::from(1 - seen.blue)];
                planned.switched = seen.switched.then(|| green.saturating_sub(1));
                planned.at = At::TakeOver;
            }
            (Second::Deploys, Some(owner)) if !owner_runs && !owner.switched => {
                planned.blue = seen.blue;
                planned.at = At::Supersede;
            }
            (Second::Deploys, None) => {
                let blue = u8::from(world.weights[1] > 0);
                if !self.is_fit(world, blue) {
                    return false;
                }
                planned.blue = blue;
                planned.epoch = u8::try_from(record.epoch_to_claim(name, arn)).unwrap_or(u8::MAX);
                planned.at = At::Claim;
                // Green's instances are launched anew, into the free group.
                for number in 0..world.servers.len() {
                    let server = &world.servers[number];
                    if server.life == Life::Gone && server.group != blue {
                        world.forget(number);
                        world.servers[number] = Server::new(1 - blue, Life::Absent);
                    }
                }
            }
            _ => return false,
        }
        world.executions[number] = planned;
        true
    }

    /// Preflight: every blue server answers and is not sealed, and green's group is empty.
    fn is_fit(&self, world: &World, blue: u8) -> bool {
        let live = |group| {
            world
                .servers
                .iter()
                .filter(move |server| server.group == group && server.is_live())
        };
        live(blue).all(|server| server.life == Life::Up && server.admission.mode != Mode::Sealed)
            && live(blue).count() >= usize::from(self.minimum)
            && live(1 - blue).count() == 0
    }

    fn abandon(&self, world: &mut World, number: usize) {
        let under_way = world.executions[number].call.take();
        if let Some(stray) = under_way.or_else(|| workflow::call(self, world, number)) {
            world.strays.push(stray);
            world.strays.sort_unstable();
        }
        world.executions[number].status = Status::Stopped;
    }

    fn stray(&self, world: &mut World, number: usize) -> bool {
        let call = world.strays.remove(number);
        match calls::step(self, world, call, Mishap::None) {
            calls::Reply::Waits => false,
            calls::Reply::Under(call) => {
                world.strays.push(call);
                world.strays.sort_unstable();
                true
            }
            _ => true,
        }
    }

    /// Whether time may pass: nobody counts as settled before the load balancer is. That is the setting's promise.
    fn may_tick(world: &World) -> bool {
        let waits = |execution: &Execution| {
            execution.switched.is_some()
                && execution.age < 2
                && matches!(execution.status, Status::Running | Status::Stopped)
        };
        world.stale == [false, false] && world.executions.iter().any(waits)
    }

    fn tick(world: &mut World) {
        for execution in &mut world.executions {
            if execution.switched.is_some() {
                execution.age = (execution.age + 1).min(2);
                if let Some(call) = &mut execution.call {
                    call.age = (call.age + 1).min(2);
                }
            }
        }
        for stray in &mut world.strays {
            stray.age = (stray.age + 1).min(2);
        }
        world.strays.sort_unstable();
    }

    fn arrive(world: &mut World, number: usize, expected: bool) -> bool {
        let (epoch, stage) = (world.record.epoch, world.record.stage);
        let server = &mut world.servers[number];
        if server.enter(Event::EnterSession) {
            server.busy += 1;
            return true;
        }
        // A rollback gives weight back when the minimum is open; those that could not be reached are asked again.
        let missed = server.epoch < epoch || stage == Stage::Released;
        if expected && !missed {
            world.break_rule(Rule::NobodyTurnedAway);
            return true;
        }
        false
    }

    fn by_hand(&self, world: &mut World, number: usize) {
        let sent = Sent {
            order: Order::Resume,
            deployment: world.record.owner.unwrap_or(0),
            epoch: world.record.epoch.max(world.servers[number].epoch),
        };
        world.servers[number].take(sent, shipped::instance(number), self.variant);
    }

    /// Takes a step; false if it leads nowhere.
    fn take(&self, world: &mut World, action: Action) -> bool {
        if action.is_fault() {
            world.faults -= 1;
        }
        match action {
            Action::Arrive(number) => return Self::arrive(world, number, true),
            Action::Straggle(number) => return Self::arrive(world, number, false),
            Action::Rest(number) => {
                let server = &mut world.servers[number];
                (server.busy, server.idle) = (server.busy - 1, server.idle + 1);
            }
            Action::Use(number) => {
                let server = &mut world.servers[number];
                (server.busy, server.idle) = (server.busy + 1, server.idle - 1);
            }
            Action::Leave(number) => {
                world.servers[number].busy -= 1;
                world.servers[number].leave();
            }
            Action::Close(number) => {
                world.servers[number].idle -= 1;
                world.servers[number].leave();
            }
            Action::Carry(number) => {
                let uncounted = self.variant == Variant::CarriedNotCounted;
                let server = &mut world.servers[number];
                let open = !matches!(server.admission.mode, Mode::Sealing | Mode::Sealed);
                if !(if uncounted {
                    open
                } else {
                    server.enter(Event::EnterRequest)
                }) {
                    return false;
                }
                server.carried += 1;
            }
            Action::Carried(number) => {
                world.servers[number].carried -= 1;
                if self.variant != Variant::CarriedNotCounted {
                    world.servers[number].leave();
                }
            }
            Action::Settle => world.stale = [false, false],
            Action::Tick => Self::tick(world),
            Action::Write(number) => world.servers[number].write(self.variant),
            Action::Crash(number) => world.servers[number].crash(),
            Action::Start(number) => world.servers[number].start(self.variant),
            Action::Deliver(number) => {
                if let Some(sent) = world.servers[number].late.take() {
                    world.servers[number].take(sent, shipped::instance(number), self.variant);
                }
            }
            Action::OpenByHand(number) => self.by_hand(world, number),
            Action::Lose(number) => {
                let group = usize::from(world.servers[number].group);
                world.lost[group] += 1;
                world.servers[number].end();
            }
            Action::Launch(number) => {
                world.servers[number] = Server::new(0, Life::Up);
                world.servers[number].served = world.weights[0] > 0;
            }
            Action::Wish => return self.wish(world),
            Action::Alarm(number) => world.executions[number].at = At::RollBack,
            Action::Reject(number) => {
                world.executions[number].rejected = true;
                world.executions[number].at = At::RejectGreen;
            }
            Action::Go(number, mishap) => return workflow::go(self, world, number, mishap),
            Action::Abandon(number) => self.abandon(world, number),
            Action::Redrive(number) => world.executions[number].status = Status::Running,
            Action::Begin(number, roll_back) => return self.begin(world, number, roll_back),
            Action::Stray(number) => return self.stray(world, number),
        }
        true
    }

    /// Whether the service is free again.
    pub fn has_ended(world: &World) -> bool {
        world.record.owner.is_none()
    }
}

impl Model for Deployments {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.world()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for number in 0..world.servers.len() {
            self.users(world, number, actions);
            self.fate(world, number, actions);
        }
        if world.stale != [false, false] {
            actions.push(Action::Settle);
        }
        if Self::may_tick(world) {
            actions.push(Action::Tick);
        }
        if self.wishes && world.record.owner.is_some() && !world.record.wish {
            actions.push(Action::Wish);
        }
        for number in 0..world.executions.len() {
            self.execution(world, number, actions);
        }
        for number in 0..world.strays.len() {
            actions.push(Action::Stray(number));
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        if !self.take(&mut world, action) {
            return None;
        }
        world.forget_the_unread(self);
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties(self)
    }
}
