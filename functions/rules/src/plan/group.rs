//! How large green's Auto Scaling group gets, and what of it is noted before.

use super::{Fleet, GroupLaunch, Observation};
use crate::scaling::Sizes;
use crate::shape::Environment;

/// The sizes that green gets: those of blue's own group, or as many servers as blue has; `count` of them if the input says
/// so. As large as blue is meant to be: the deployment that mends a sick blue must not be as small as what is left of it.
pub(super) fn sizes(
    seen: &Observation,
    blue: &Environment,
    registered: u32,
    count: Option<u32>,
) -> Sizes {
    let own = |fleet: &&Fleet| Some(&fleet.name) == blue.auto_scaling_group.as_ref();
    let own = seen
        .hazards
        .fleets
        .iter()
        .find(own)
        .map(|fleet| fleet.sizes);
    let found = own.filter(|sizes| sizes.desired > 0).unwrap_or(Sizes {
        min: registered,
        max: registered,
        desired: registered,
    });
    // Protected members that are beyond the desired capacity serve as well.
    let desired = count.unwrap_or(found.desired.max(registered));
    Sizes {
        min: found.min.min(desired),
        max: found.max.max(desired),
        desired,
    }
}

/// What green's group gets, and what it names now.
pub(super) fn launch(fleet: &Fleet, sizes: Sizes) -> GroupLaunch {
    GroupLaunch {
        sizes,
        version_before: fleet.versions.first().cloned().unwrap_or_default(),
    }
}
