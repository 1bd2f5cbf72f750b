//! A green that never had weight: its own deployment's, or that of one which is superseded.

use super::*;

#[tokio::test]
async fn a_rejected_green_is_ended_and_blue_is_not() {
    let fake = launched("deploy-1");
    let answer = terminate(&fake, &never_served()).await.unwrap();
    assert_eq!(fake.changes(), ["DeregisterTargets", "TerminateInstances"]);
    assert_eq!(answer.ending, ["i-4"]);
    gone(&fake);
    assert_gone(&fake, &never_served()).await;
    assert_eq!(state(&fake, "i-1"), InstanceState::Running);
}

#[tokio::test]
async fn rule_1_a_green_of_a_deployment_that_has_switched_is_never_ended_as_unserved() {
    let phases = [
        Phase::Switched,
        examples::rolling_back(),
        Phase::Detaching {
            environment: environment("b"),
        },
    ];
    for phase in phases {
        let fake = launched("deploy-1");
        fake.world().phase(phase);
        let name = failure(&fake, &never_served()).await;
        assert_eq!(name, ErrorName::Superseded);
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn clearing_goes_by_the_superseded_owners_tag_and_the_callers_fence() {
    let fake = superseding();
    let answer = terminate(&fake, &cleared()).await.unwrap();
    assert_eq!(answer.ending, ["i-4"]);

    let fake = superseding();
    let tag = (DEPLOYMENT_TAG.to_owned(), "deploy-1".to_owned());
    fake.world().instance("i-4").tags.extend([tag]);
    foreign(&fake, &cleared(), "and not deploy-0").await;

    let fake = superseding();
    fake.world().front().unwrap().owner.deployment = "deploy-0".to_owned();
    assert_eq!(failure(&fake, &cleared()).await, ErrorName::Superseded);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn what_ends_already_is_waited_for_whoever_launched_it() {
    for of in ["deploy-0", "deploy-1", "deploy-2"] {
        for (call, supersedes) in [(cleared(), true), (never_served(), false)] {
            let fake = if supersedes {
                superseding()
            } else {
                launched(of)
            };
            let tag = (DEPLOYMENT_TAG.to_owned(), of.to_owned());
            fake.world().instance("i-4").tags.extend([tag]);
            fake.world().instance("i-4").state = InstanceState::ShuttingDown;
            let answer = terminate(&fake, &call).await.unwrap();
            assert_eq!(fake.changes(), [""; 0]);
            assert_eq!(answer.ending, ["i-4"], "{of}");
            assert_eq!((answer.remaining, answer.verdict), (1, Verdict::Left));
            gone(&fake);
            assert_gone(&fake, &call).await;
        }
    }
}

#[tokio::test]
async fn clearing_ends_what_an_earlier_deployment_left_beside_what_ends_already() {
    // deploy-1 has superseded a deployment that died while it cleared deploy-0's green.
    let fake = superseding();
    fake.world().add_green("i-5", "subnet-1");
    fake.world().instance("i-5").state = InstanceState::ShuttingDown;
    let answer = terminate(&fake, &cleared()).await.unwrap();
    assert_eq!(answer.ending, ["i-4", "i-5"]);
    gone(&fake);
    assert_gone(&fake, &cleared()).await;
}

#[tokio::test]
async fn instances_of_another_service_are_not_listed() {
    let fake = launched("deploy-1");
    let tags = [
        (SERVICE_TAG, "other"),
        (ENVIRONMENT_TAG, "tunnel-b"),
        (DEPLOYMENT_TAG, "deploy-1"),
    ];
    fake.world().add("i-9", "subnet-1", None, &tags);
    terminate(&fake, &never_served()).await.unwrap();
    assert_eq!(state(&fake, "i-9"), InstanceState::Running);
}
