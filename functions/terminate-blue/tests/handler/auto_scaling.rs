//! Members of an Auto Scaling group, which end through their group.

use ebbtide_rules::scaling::{ScalingGroup, ScalingMember, Sizes};

use super::*;

/// Blue is drained, and two of its servers are members of an Auto Scaling group.
fn scaled() -> Fake {
    let fake = drained();
    let members = ALL[..2].iter().map(|id| ScalingMember {
        instance: (*id).to_owned(),
        protected: true,
        lifecycle: "InService".to_owned(),
    });
    fake.world().scaling.push(ScalingGroup {
        name: "asg".to_owned(),
        sizes: Sizes {
            min: 2,
            max: 9,
            desired: 2,
        },
        members: members.collect(),
        ..ScalingGroup::default()
    });
    fake
}

/// The group's smallest size and desired capacity.
fn sizes(fake: &Fake) -> (u32, u32) {
    let group = &fake.world().scaling[0];
    (group.sizes.min, group.sizes.desired)
}

#[tokio::test]
async fn members_of_an_auto_scaling_group_end_through_it_below_its_smallest_size() {
    let fake = scaled();
    let answer = terminate(&fake, &sealed(&ALL)).await.unwrap();
    let expected = [
        "DeregisterTargets",
        "UpdateAutoScalingGroup",
        "TerminateInstanceInAutoScalingGroup",
        "TerminateInstanceInAutoScalingGroup",
        "TerminateInstances",
    ];
    assert_eq!(fake.changes(), expected);
    assert_eq!(answer.ending, ALL);
    assert_eq!(sizes(&fake), (0, 0));
}

#[tokio::test]
async fn a_member_whose_end_a_hook_holds_up_is_ending_and_not_ended_twice() {
    let fake = scaled();
    fake.world().hooked = true;
    // Others are in the group too, so that a second decrement would not be refused for its size.
    fake.world().scaling[0].sizes.desired = 5;
    let answer = terminate(&fake, &sealed(&ALL)).await.unwrap();
    assert_eq!(answer.ending, ALL);
    assert_eq!(state(&fake, "i-1"), InstanceState::Running);
    assert_eq!(sizes(&fake), (2, 3));
    fake.changes();

    let again = terminate(&fake, &sealed(&ALL)).await.unwrap();
    assert_eq!(fake.changes(), [""; 0]);
    assert_eq!(again, answer);
    assert_eq!((again.remaining, again.verdict), (3, Verdict::Left));
    assert_eq!(sizes(&fake), (2, 3));
}

#[tokio::test]
async fn a_member_that_the_group_ends_for_another_does_not_make_room_for_itself() {
    for lifecycle in [
        "Terminating",
        "Terminating:Wait",
        "Terminating:Proceed",
        "Terminated",
    ] {
        let fake = scaled();
        lifecycle.clone_into(&mut fake.world().scaling[0].members[0].lifecycle);
        fake.world().scaling[0].sizes.desired = 3;
        fake.world().scaling[0].sizes.min = 3;
        let answer = terminate(&fake, &sealed(&ALL[..2])).await.unwrap();
        let expected = [
            "DeregisterTargets",
            "UpdateAutoScalingGroup",
            "TerminateInstanceInAutoScalingGroup",
        ];
        assert_eq!(fake.changes(), expected, "{lifecycle}");
        assert_eq!(sizes(&fake), (2, 2), "{lifecycle}");
        assert_eq!(answer.ending, ALL[..2], "{lifecycle}");
        assert_eq!(answer.remaining, 3, "{lifecycle}");
    }
}

#[tokio::test]
async fn a_member_that_is_detaching_is_ended_once_it_is_out() {
    let fake = scaled();
    let lifecycle = |word: &str| word.clone_into(&mut fake.world().scaling[0].members[0].lifecycle);
    lifecycle("Detaching");
    let answer = terminate(&fake, &sealed(&ALL[..1])).await.unwrap();
    assert_eq!(fake.changes(), ["DeregisterTargets"]);
    assert_eq!((answer.ending.len(), answer.remaining), (0, 3));
    lifecycle("Detached");
    let answer = terminate(&fake, &sealed(&ALL[..1])).await.unwrap();
    assert_eq!(fake.changes(), ["TerminateInstances"]);
    assert_eq!(answer.ending, ["i-1"]);
    assert_eq!(sizes(&fake), (2, 2));
}

#[tokio::test]
async fn members_beyond_the_desired_capacity_end_without_a_decrement() {
    let fake = scaled();
    fake.world().scaling[0].sizes.min = 0;
    fake.world().scaling[0].sizes.desired = 1;
    let answer = terminate(&fake, &sealed(&ALL[..2])).await.unwrap();
    let expected = [
        "DeregisterTargets",
        "TerminateInstanceInAutoScalingGroup",
        "TerminateInstanceInAutoScalingGroup",
    ];
    assert_eq!(fake.changes(), expected);
    assert_eq!(answer.ending, ALL[..2]);
    assert_eq!(sizes(&fake), (0, 0));
}
