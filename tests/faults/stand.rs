//! Where a fault is made: a service on a local cloud, its users before, during and after, and what must hold of them
//! whatever the fault. Every trial stands on one and ends it with [`Stand::ends`].

use std::collections::BTreeMap;

use ebbtide_local_cloud::options::Options;
use ebbtide_local_cloud::witness::{Testimony, Witness};
use ebbtide_tests::scene::{ENVIRONMENTS, Scene};
use ebbtide_tests::sessions::Session;
use serde_json::Value;

use crate::story::Story;
use crate::users::Users;

/// A service with users.
pub(crate) struct Stand {
    /// The cloud.
    pub(crate) scene: Scene,
    /// Sessions that are busy from before the fault, on blue, and must be at the end.
    pub(crate) busy: Vec<Session>,
    users: Users,
    witness: Witness,
}

/// What may have happened to the minimum because of the fault itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor(pub(crate) usize);

/// As many healthy targets with weight as there were blue servers.
pub(crate) const ALL_THREE: Floor = Floor(3);

impl Stand {
    /// Three blue servers, one of them with a busy session, and users who come all the time.
    pub(crate) async fn of_three() -> Self {
        Self::with(Options::default()).await
    }

    /// As many blue servers in an Auto Scaling group, beside one for each further environment; and users as ever.
    pub(crate) async fn of_fleets(members: i32) -> Self {
        let names = ENVIRONMENTS.map(|name| format!("{name}-fleet"));
        let options = Options {
            blue: 0,
            parameters: vec![("AutoScalingGroupNames".to_owned(), names.join(","))],
            ..Options::default()
        };
        Self::on(Scene::of_fleets(options, members).await).await
    }

    /// A cloud with these options, a busy session on blue, and users who come all the time.
    pub(crate) async fn with(options: Options) -> Self {
        Self::on(Scene::with(options).await).await
    }

    async fn on(scene: Scene) -> Self {
        let busy = vec![scene.busy("busy").await];
        let witness = scene.cloud.witness();
        let users = Users::coming_to(scene.cloud.listener());
        Self {
            scene,
            busy,
            users,
            witness,
        }
    }

    /// Blue's servers that nothing busy depends on, in order: faults strike these.
    pub(crate) async fn spare(&self) -> Vec<String> {
        let in_use = self.scene.in_use().await;
        let mut spare = self.scene.blue().to_vec();
        spare.retain(|instance| !in_use.contains(instance));
        spare.sort();
        assert!(!spare.is_empty(), "every server is in use: {in_use:?}");
        spare
    }

    /// Every session that was busy before the fault is busy now: open, its request in flight.
    pub(crate) fn nobody_cut(&self) {
        self.scene.all_still_busy(&self.busy);
    }

    /// The busy sessions were whole until now, and their users leave: blue can end.
    pub(crate) fn busy_leave(&mut self) {
        self.nobody_cut();
        for session in &mut self.busy {
            session.leave();
        }
        self.busy.clear();
    }

    /// The end. Then nobody busy was cut, no user was turned away by a server that drains, groups with weight never had
    /// fewer healthy targets than `floor`, and no instance was ended without its seal.
    pub(crate) async fn ends(self, stories: &[&Story], floor: Floor) {
        let turned_away = self.ends_after_an_outage(stories, floor).await;
        assert_eq!(turned_away, Vec::<String>::new(), "users were turned away");
    }

    /// The same where users may have been turned away by servers that drain: who was.
    pub(crate) async fn ends_after_an_outage(
        self,
        stories: &[&Story],
        floor: Floor,
    ) -> Vec<String> {
        self.nobody_cut();
        let turned_away = self.users.turned_away().await;
        let seen = self.witness.testimony().await.expect("a testimony");
        held_by(&seen, floor);
        ended_by_seal_only(&self.scene, stories, &seen).await;
        self.scene.ends().await;
        turned_away
    }
}

/// Then groups with weight never had fewer healthy targets.
fn held_by(seen: &Testimony, floor: Floor) {
    let fewest = seen.fewest_with_weight.unwrap_or_default();
    assert!(fewest >= floor.0, "{fewest} healthy: {seen:?}");
}

/// Then every instance that a deployment ended had sealed, by its own state file, unless its group never had weight.
async fn ended_by_seal_only(scene: &Scene, stories: &[&Story], seen: &Testimony) {
    let by_others: Vec<&str> = stories
        .iter()
        .flat_map(|story| story.ended_by_others())
        .collect();
    let instances = scene.cloud.instances().await.expect("instances");
    for instance in instances {
        let has_ended = matches!(instance.state.as_str(), "shutting-down" | "terminated");
        if !has_ended || by_others.contains(&instance.id.as_str()) {
            continue;
        }
        let kept = kept(scene, &instance.id);
        let served = served(scene, seen, instance.environment());
        assert!(
            kept["sealed"] == Value::Bool(true) || !served,
            "{} ended and kept {kept}",
            instance.id
        );
    }
}

/// Whether an environment's group ever had weight.
fn served(scene: &Scene, seen: &Testimony, environment: Option<&str>) -> bool {
    let groups = scene.cloud.world().groups();
    let mut groups = groups.into_iter();
    let Some(group) = groups.find(|group| Some(group.name.as_str()) == environment) else {
        // Of an instance that is nobody's, nothing is known: it must have sealed.
        return true;
    };
    let had = |weights: &BTreeMap<String, u32>| weights.get(&group.arn).is_some_and(|one| *one > 0);
    seen.weights.iter().any(had)
}

/// What a server wrote down before it acknowledged anything; null if it never did.
fn kept(scene: &Scene, instance: &str) -> Value {
    let file = scene.cloud.directory().join("servers").join(instance);
    let text = std::fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}
