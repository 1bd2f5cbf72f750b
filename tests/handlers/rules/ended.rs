//! What may be ended: nothing that holds a session, and nothing without its licence.

use ebbtide_aws::fake::{Noted, Things};
use ebbtide_rules::document::Act;
use ebbtide_rules::observed::{DEPLOYMENT_TAG, Instance, RETIRING_TAG, Target};
use ebbtide_rules::record::Phase;

use super::{Broken, Rule, demand};
use crate::aws;
use crate::call::Call;
use crate::world::World;

pub(super) fn judge(world: &World, call: &Call, noted: &Noted) -> Result<(), Broken> {
    for instance in ended(noted) {
        ending(world, call, noted, instance)?;
    }
    for (group, target) in deregistered(noted) {
        let server = world.server(&target.instance);
        demand(
            !server.is_some_and(|it| it.holds()),
            Rule::NothingCut,
            || format!("{} deregistered {} of {group}", call.state, target.instance),
        )?;
        licence(world, call, noted, &target.instance)?;
    }
    Ok(())
}

/// The instances whose end a call ordered, in EC2 or by their Auto Scaling group.
fn ended(noted: &Noted) -> Vec<&Instance> {
    let left = |id: &str| {
        let members = |things: &Things| {
            let mut all = things
                .scaling
                .iter()
                .flat_map(|group| group.members.clone());
            all.any(|member| member.instance == id && !member.is_terminating())
        };
        members(&noted.before) && !members(&noted.after)
    };
    let ended = |before: &&Instance| {
        let mut after = noted.after.instances.iter();
        let lives = after.any(|after| after.id == before.id && after.is_live());
        before.is_live() && (!lives || left(&before.id))
    };
    noted.before.instances.iter().filter(ended).collect()
}

fn ending(world: &World, call: &Call, noted: &Noted, instance: &Instance) -> Result<(), Broken> {
    let id = &instance.id;
    let server = world.server(id);
    demand(
        !server.is_some_and(|it| it.holds()),
        Rule::NothingCut,
        || format!("{} ended {id}, which holds something", call.state),
    )?;
    licence(world, call, noted, id)?;
    let deployment = deployment(call);
    let tagged = [RETIRING_TAG, DEPLOYMENT_TAG]
        .iter()
        .any(|key| instance.tag(key) == Some(deployment.as_str()));
    demand(tagged, Rule::EndedRetiring, || {
        format!(
            "{} ended {id}, whose tags are {:?}",
            call.state, instance.tags
        )
    })?;
    let weighted = noted.before.targets.iter().find(|(group, targets)| {
        let has = |target: &Target| target.registered && target.instance == *id;
        aws::weight(&noted.before, group) > 0 && targets.iter().any(has)
    });
    demand(weighted.is_none(), Rule::EndedRetiring, || {
        format!("{} ended {id} in a group with weight", call.state)
    })
}

/// The deployment whose instances a call is about.
pub(super) fn deployment(call: &Call) -> String {
    let document = call.invocation.as_ref().map(|it| &it.document);
    let unserved = document.and_then(|it| it.unserved().ok());
    match (call.act(), unserved) {
        (Some(Act::EndUnserved), Some((deployment, _))) => deployment.to_owned(),
        _ => call.fence().map_or_else(String::new, |it| it.deployment),
    }
}

/// The two licences: sealed in this very pass, or never served while no weight can have moved.
fn licence(world: &World, call: &Call, noted: &Noted, id: &String) -> Result<(), Broken> {
    let refused = |why: &str| format!("{} ended {id}, {why}", call.state);
    if call.act() == Some(Act::EndUnserved) {
        let read = aws::read(noted);
        let phase = read
            .and_then(|record| record.front)
            .map(|front| front.phase);
        let before = matches!(phase, Some(Phase::Claimed | Phase::Superseding { .. }));
        let allowed = before && !world.ledger.has_served(id);
        return demand(allowed, Rule::EndedSealed, || refused("which has served"));
    }
    let server = world.server(id);
    let sealed = server.is_some_and(|it| it.disk.sealed_for == Some(deployment(call)));
    demand(sealed, Rule::EndedSealed, || {
        refused("which has not sealed")
    })?;
    let document = call.invocation.as_ref().map(|it| &it.document);
    let acknowledged = document.is_some_and(|document| {
        let (check, list) = (document.check.as_ref(), document.retiring.as_ref());
        check
            .zip(list)
            .is_some_and(|(check, list)| check.sealed.contains(id) && check.at >= list.listed_at)
    });
    demand(acknowledged, Rule::EndedSealed, || {
        refused("whose seal was not acknowledged in this pass")
    })
}

fn deregistered(noted: &Noted) -> Vec<(&String, &Target)> {
    let mut gone = Vec::new();
    for ((group, before), (_, after)) in noted.before.targets.iter().zip(&noted.after.targets) {
        let stays = |target: &Target| {
            after
                .iter()
                .any(|it| it.instance == target.instance && it.registered)
        };
        let left = before.iter().filter(|it| it.registered && !stays(it));
        gone.extend(left.map(|target| (group, target)));
    }
    gone
}
