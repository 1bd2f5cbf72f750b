//! Why the deployments may take an agent for what `server/beside.rs` says: seen from there, each of its steps is one that such a
//! server may take, or none. Checked at every step of the exploration.

use ebbtide_endpoint::admission::{Mode, State};
use ebbtide_endpoint::order::Kind;

use super::gate::{Run, Step};
use super::orders::Job;
use super::world::{Line, Process, World};
use crate::server::{Endpoint, Life, Order, Sent, Server};
use crate::variants::Variant;

/// All orders are of one deployment and one epoch.
const SENT: Sent = Sent {
    order: Order::Seal,
    deployment: 0,
    epoch: 0,
};

/// Whether the deployments' server may do what an agent has done.
pub(super) fn is_followed(before: &World, after: &World) -> bool {
    let (before, after) = (seen(before), seen(after));
    before == after || MAY.iter().any(|step| step(before) == Some(after))
}

/// What a deployment sees of it.
fn seen(world: &World) -> Server {
    let alive = world
        .agent
        .as_ref()
        .filter(|agent| !is_starting(world, agent));
    let lines = || world.clients.iter().map(|client| client.line);
    let count = |is: fn(&Line) -> bool| lines().filter(is).fold(0, |sum, _| sum + 1);
    let life = if alive.is_some() {
        Life::Up
    } else {
        Life::Down
    };
    let mut server = Server::new(0, life, Endpoint::Agent);
    server.registered = false;
    server.busy = world.connected();
    server.knocking =
        count(|line| matches!(line, Line::Knocking | Line::Cookie | Line::Completing));
    server.kept_seal = world.disk;
    server.barred = world.is_barred();
    if let Some(agent) = alive {
        server.admission.mode = mode(agent, server.barred);
        server.sealing = agent
            .order
            .filter(|run| seals(*run, server.barred))
            .map(|_| SENT);
    }
    server
}

/// It has not said yet that it is there.
fn is_starting(world: &World, agent: &Process) -> bool {
    agent.order.is_some_and(|run| run.job == Job::Start) && !(world.is_barred() && is_bolted(agent))
}

/// A start that has put the seal's rules up, after everything was shut.
fn is_bolted(agent: &Process) -> bool {
    let bolted = [
        Step::BarAgain,
        Step::AwaitAgain,
        Step::CountAgain,
        Step::JudgeAgain,
    ];
    agent
        .order
        .is_some_and(|run| bolted.contains(&run.step) || run.step == Step::Over(None))
}

/// A seal that is tried is none yet, and one that is enforced is one although it is not answered yet.
fn mode(agent: &Process, barred: bool) -> Mode {
    match agent.order {
        _ if barred => Mode::Sealed,
        Some(run) if is_tried(run) => run.before,
        _ => agent.admission.mode,
    }
}

fn is_tried(run: Run) -> bool {
    let tried = [
        Step::Look,
        Step::Drop,
        Step::Bar,
        Step::Await,
        Step::Count,
        Step::Judge,
    ];
    let fails = matches!(run.step, Step::Lift(_) | Step::Over(Some(_)));
    is_seal(run) && !run.written && (tried.contains(&run.step) || fails)
}

fn is_seal(run: Run) -> bool {
    run.job == Job::Order(Kind::Seal) && run.target == Mode::Sealed
}

/// Whether an order to seal is between its first half and its enforcement.
fn seals(run: Run, barred: bool) -> bool {
    is_seal(run) && !is_tried(run) && !barred && !matches!(run.step, Step::Over(_))
}

/// The steps of the deployments' server, each as it is or None where it cannot be taken.
const MAY: [fn(Server) -> Option<Server>; 13] = [
    |server| taken(server, Server::knock),
    |server| (server.knocking > 0).then(|| taken(server, Server::come_in))?,
    |server| (server.knocking > 0).then(|| done(server, |it| it.knocking -= 1)),
    |server| (server.busy > 0).then(|| done(server, |it| it.busy -= 1)),
    |server| ordered(server, Order::Drain),
    |server| ordered(server, Order::Resume),
    |server| ordered(server, Order::Seal),
    |server| is_sealing(&server).then(|| done(server, Server::keep_seal)),
    |server| (is_sealing(&server) && server.kept_seal).then(|| done(server, Server::enforce)),
    |server| (is_sealing(&server) && server.kept_seal).then(|| done(server, Server::falter)),
    |server| (server.life == Life::Up).then(|| done(server, Server::orphan)),
    |server| (server.life == Life::Down).then(|| done(server, |it| it.rejoin(false))),
    |server| (server.life == Life::Down).then(|| done(server, |it| it.rejoin(true))),
];

fn is_sealing(server: &Server) -> bool {
    server.life == Life::Up && server.sealing.is_some()
}

fn taken(mut server: Server, step: impl Fn(&mut Server) -> bool) -> Option<Server> {
    step(&mut server).then_some(server)
}

fn ordered(mut server: Server, order: Order) -> Option<Server> {
    if server.life != Life::Up || is_sealing(&server) {
        return None;
    }
    server.take(Sent { order, ..SENT }, "", Variant::Shipped);
    Some(plain(server))
}

fn done(mut server: Server, step: impl Fn(&mut Server)) -> Server {
    step(&mut server);
    plain(server)
}

/// What an agent does not know, or a deployment remembers for it.
fn plain(server: Server) -> Server {
    Server {
        promised: None,
        admission: State {
            in_use: 0,
            ..server.admission
        },
        ..server
    }
}
