//! An environment that is an Auto Scaling group: every member is listed, and nothing ends one without the hook.

use ebbtide_aws::fake::recorded_in_groups;

use super::*;

const BLUE: &str = "fleet-a";

/// Every environment is an Auto Scaling group of its own.
fn fleets() -> Fake {
    let fake = Fake::new();
    fake.world().put_into_groups();
    fake
}

async fn held(fake: &Fake) -> Result<Retiring, Failed> {
    fake.world().phase(Phase::Switched);
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    let document = examples::about(recorded_in_groups("a", "b"), Doing::Watching { weights });
    Ok(answer(fake, examples::invocation(Act::Hold, document))
        .await?
        .answer)
}

async fn let_go_of(fake: &Fake) -> Result<Retiring, Failed> {
    fake.world().phase(examples::rolling_back());
    let doing = Doing::Returning { minimum_open: 3 };
    let document = examples::about(recorded_in_groups("a", "b"), doing);
    Ok(answer(fake, examples::invocation(Act::LetGo, document))
        .await?
        .answer)
}

fn blue(fake: &Fake) -> ScalingGroup {
    fake.world().scaling_group(BLUE).clone()
}

/// What an apply does that does not know of suspensions, and somebody who takes the hook.
fn resume_all(fake: &Fake) {
    let mut world = fake.world();
    let group = world.scaling_group(BLUE);
    group.holds_ends = false;
    group.suspended.clear();
}

fn launch_one_more(fake: &Fake) {
    let mut world = fake.world();
    world.add("i-8", "subnet-1", None, &[]);
    world.scaling_group(BLUE).members.push(ScalingMember {
        instance: "i-8".to_owned(),
        protected: false,
        lifecycle: "InService".to_owned(),
    });
}

#[tokio::test]
async fn the_hook_is_put_before_weight_moves_and_again_when_somebody_took_it() {
    let fake = fleets();
    held(&fake).await.unwrap();
    assert!(blue(&fake).holds_ends);
    assert_eq!(blue(&fake).suspended, SUSPENDED);
    fake.changes();
    held(&fake).await.unwrap();
    assert_eq!(fake.changes(), [""; 0]);
    resume_all(&fake);
    held(&fake).await.unwrap();
    assert_eq!(fake.changes(), ["SuspendProcesses", "PutLifecycleHook"]);
}

#[tokio::test]
async fn a_member_that_no_target_group_knows_yet_is_listed_all_the_same() {
    let fake = fleets();
    launch_one_more(&fake);
    let listed = held(&fake).await.unwrap();
    assert_eq!(ids(&listed), ["i-1", "i-2", "i-3", "i-8"]);
    let instance = fake.world().instance("i-8").clone();
    assert_eq!(instance.tag(RETIRING_TAG), Some("deploy-1"));
}

#[tokio::test]
async fn what_something_else_is_ending_is_named_and_held_up_once_more() {
    let fake = fleets();
    held(&fake).await.unwrap();
    let wait = "Terminating:Wait";
    wait.clone_into(&mut fake.world().scaling_group(BLUE).members[1].lifecycle);
    fake.changes();
    let listed = held(&fake).await.unwrap();
    assert_eq!(listed.held_up, ["i-2"]);
    assert_eq!(ids(&listed), ALL, "its sessions are counted");
    assert_eq!(fake.changes(), ["RecordLifecycleActionHeartbeat"]);
    // One that the hook holds up no longer is EC2's to tell of.
    fake.fail(
        "RecordLifecycleActionHeartbeat",
        Fault::Refused("ValidationError"),
    );
    assert!(held(&fake).await.is_err(), "another refusal is told");
}

#[tokio::test]
async fn everything_is_given_back_but_the_hook_that_still_saves_somebody() {
    let fake = fleets();
    let before = blue(&fake);
    held(&fake).await.unwrap();
    let_go_of(&fake).await.unwrap();
    assert_eq!(blue(&fake), before);
    held(&fake).await.unwrap();
    let wait = "Terminating:Wait";
    wait.clone_into(&mut fake.world().scaling_group(BLUE).members[1].lifecycle);
    fake.changes();
    let failed = let_go_of(&fake).await.unwrap_err();
    assert!(
        failed
            .to_string()
            .contains("i-2 is being ended by its group"),
        "{failed}"
    );
    let prolonged = "RecordLifecycleActionHeartbeat".to_owned();
    assert!(fake.changes().contains(&prolonged), "whoever redrives it");
    assert!(blue(&fake).holds_ends);
    // It is not reached yet while the load balancer lets the member go.
    "Terminating".clone_into(&mut fake.world().scaling_group(BLUE).members[1].lifecycle);
    assert!(let_go_of(&fake).await.is_err());
    assert!(blue(&fake).holds_ends);
}
