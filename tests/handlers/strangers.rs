//! What users, servers, the load balancer, an Auto Scaling group and other people do to the world.

use ebbtide_aws::fake::arn;
use ebbtide_endpoint::admission::Mode;
use ebbtide_rules::scaling::{ScalingGroup, ScalingMember};

use crate::aws;
use crate::event::Event;
use crate::world::World;

/// Lets one of them act.
pub(crate) async fn act(world: &mut World, event: &Event) {
    match *event {
        // Neither users nor other servers know one that never had weight.
        Event::Come { at } if serves(world, at) => {
            world.with_server(at, |server| server.coming = 1);
        }
        Event::Turn { at } => world.with_server(at, |server| server.turn()),
        Event::Leave { at } => world.with_server(at, |server| server.leave()),
        Event::Carry { at } if serves(world, at) => world.with_server(at, |server| server.carry()),
        Event::Trouble {
            at,
            trouble,
            orders_only,
        } => world.with_server(at, |server| server.trouble = Some((trouble, orders_only))),
        Event::Recover => recover(world),
        Event::Crash { at } => {
            world.with_server(at, |server| server.crash());
            world.follow().await;
        }
        Event::Restart { at } => {
            restart(world, Some(at));
            world.follow().await;
        }
        Event::Ill { at } => world.fall_ill(at).await,
        Event::EndInstance { at } => {
            let mut of = None;
            world.with_server(at, |server| of = Some(server.instance.clone()));
            if let Some(id) = of.filter(|id| !is_last_of_its_group(world, id)) {
                world.end_instance(&id).await;
            }
        }
        Event::Scale { at } => scale(world, at).await,
        Event::Weigh { at, whole } => weigh(world, at, whole),
        _ => {}
    }
}

/// Whether nobody would serve in its group without it: then it is not ended for fun. One that drains or has sealed may be.
fn is_last_of_its_group(world: &World, id: &str) -> bool {
    let takes = world
        .server(id)
        .is_some_and(|server| server.admission.mode == Mode::Open);
    let things = world.things();
    let mut groups = things.targets.iter().map(|(_, targets)| targets);
    let group = groups.find(|targets| targets.iter().any(|it| it.instance == id));
    let others = group.is_some_and(|targets| {
        targets
            .iter()
            .filter(|it| it.registered && it.instance != id)
            .any(|it| world.server(&it.instance).is_some_and(|it| it.is_open()))
    });
    takes && !others
}

fn serves(world: &mut World, at: u8) -> bool {
    let mut instance = None;
    world.with_server(at, |server| instance = Some(server.instance.clone()));
    instance.is_some_and(|id| world.ledger.has_served(&id))
}

/// Every server answers well.
pub(crate) fn recover(world: &mut World) {
    for server in world.fleet.servers().by_ip.values_mut() {
        server.trouble = None;
    }
}

/// Starts one process anew, or all that are dead; those of instances that are gone stay dead.
pub(crate) fn restart(world: &mut World, at: Option<u8>) {
    let things = world.things();
    let lives = |id: &str| {
        things
            .instances
            .iter()
            .any(|it| it.id == id && it.is_live())
    };
    let mut servers = world.fleet.servers();
    let count = servers.by_ip.len().max(1);
    for (number, server) in servers.by_ip.values_mut().enumerate() {
        let asked = at.map_or(!server.up, |at| usize::from(at) % count == number);
        if asked && lives(&server.instance) {
            server.restart();
        }
    }
}

/// The Auto Scaling group ends a member that nothing protects, or replaces one that it misses.
async fn scale(world: &mut World, at: u8) {
    let Some(group) = world.fake.world().scaling.first().cloned() else {
        return;
    };
    if group.members.len() < usize::try_from(group.sizes.desired).unwrap_or_default() {
        return replace(world).await;
    }
    let spared = group.suspended.iter().any(|it| it == "AlarmNotification");
    let member = group
        .members
        .get(usize::from(at) % group.members.len().max(1))
        .filter(|member| !spared && !member.protected && group.sizes.desired > group.sizes.min);
    if let Some(member) = member.filter(|it| !is_last_of_its_group(world, &it.instance)) {
        let id = member.instance.clone();
        world.fake.world().scaling[0].sizes.desired -= 1;
        world.end_instance(&id).await;
    }
}

/// A new member, in its group like the others.
async fn replace(world: &mut World) {
    if world.fake.world().addresses.is_empty() {
        return;
    }
    let instance = world.add_server("a").await;
    let member = ScalingMember {
        instance,
        protected: false,
        lifecycle: "InService".to_owned(),
    };
    let group: &mut ScalingGroup = &mut world.fake.world().scaling[0];
    group.members.push(member);
}

/// Somebody moves weight, among the groups that the action names and whose servers have all served before: nobody gives
/// weight to a green that is only being tested.
fn weigh(world: &mut World, at: u8, whole: bool) {
    let weights = aws::weights(&world.fake);
    let things = world.things();
    let has_served = |group: &String| {
        let mut targets = things.targets.iter().filter(|(arn, _)| arn == group);
        targets.next().is_some_and(|(_, targets)| {
            let mut registered = targets.iter().filter(|it| it.registered).peekable();
            registered.peek().is_some()
                && registered.all(|it| world.ledger.has_served(&it.instance))
        })
    };
    let able: Vec<&String> = weights.keys().filter(|group| has_served(group)).collect();
    let Some(chosen) = able.get(usize::from(at) % able.len().max(1)) else {
        return;
    };
    let moved: aws::Weights = weights
        .iter()
        .map(|(group, weight)| {
            let weight = if group == *chosen {
                if whole { 100 } else { 50 }
            } else if whole {
                0
            } else {
                *weight / 2
            };
            (group.clone(), weight)
        })
        .collect();
    if moved != weights {
        aws::set_weights(&world.fake, &moved);
        world.remember_weights(weights);
        world.meddled = true;
        let things = world.things();
        world.ledger.look(&things);
    }
}

/// The environment of a group's ARN, by its last letter.
pub(crate) fn letter(group: &str) -> &'static str {
    let mut all = crate::world::ENVIRONMENTS.into_iter();
    all.find(|name| arn(name) == group)
        .expect("a group of the service")
}
