//! AWS that throttles or denies, and functions that die in mid-call: for real, by SIGKILL, as Step Functions sees it.
//!
//! One deployment meets the fault at each of its stages, in the call that the stage is for. What comes late is in
//! [`crate::ghosts`].

use ebbtide_local_cloud::faults::{AwsFault, AwsFaults, Calls, SessionFault};
use ebbtide_local_cloud::options::Options;
use ebbtide_tests::scene::{Scene, hasty};

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::rolling_back;
use crate::stand::{ALL_THREE, Stand};
use crate::story::{End, LIMIT, Story};
use crate::trial::{Ledger, Trial};

/// What a stage is for, where it can be struck.
#[derive(Clone, Copy)]
enum Effect {
    /// A call of AWS.
    Aws(&'static str),
    /// An order to servers.
    Order(Calls),
}

/// The stages that have functions, each with its function and with what that is for.
const STRUCK: [(Stage, &str, Effect); 10] = [
    (Stage::Plan, "plan-deployment", Effect::Aws("GetItem")),
    (Stage::Claim, "keep-record", Effect::Aws("PutItem")),
    (Stage::Launch, "launch-green", Effect::Aws("RunInstances")),
    (Stage::Test, "test-green", Effect::Order(Calls::Resume)),
    (Stage::Hold, "hold-blue", Effect::Aws("CreateTags")),
    (
        Stage::Switch,
        "switch-target-group",
        Effect::Aws("ModifyListener"),
    ),
    (Stage::Drain, "drain-idle", Effect::Order(Calls::Drain)),
    (Stage::Check, "check-drained", Effect::Order(Calls::Seal)),
    (
        Stage::Terminate,
        "terminate-blue",
        Effect::Aws("TerminateInstances"),
    ),
    (
        Stage::Release,
        "keep-record",
        Effect::Aws("TransactWriteItems"),
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    let all = |fault, outcome| STRUCK.map(|(stage, ..)| (fault, stage, outcome));
    let of_aws = |fault, outcome| {
        let mut cells = all(fault, outcome).to_vec();
        cells.retain(|(_, stage, _)| calls_aws(*stage));
        cells
    };
    let retried = |fault| (fault, Stage::RollBack, Outcome::Retry);
    vec![
        Trial::new(
            "each function of a promotion dies before its effect",
            &all(Fault::DiesBefore, Outcome::Retry),
            |ledger| functions_die(ledger, Fault::DiesBefore),
        ),
        Trial::new(
            "each function of a promotion dies after its effect, before its reply",
            &all(Fault::ReplyLost, Outcome::Retry),
            |ledger| functions_die(ledger, Fault::ReplyLost),
        ),
        Trial::new(
            "AWS throttles each function of a promotion",
            &of_aws(Fault::AwsThrottles, Outcome::Retry),
            throttled,
        ),
        Trial::new(
            "AWS denies each function of a promotion",
            &of_aws(Fault::AwsDenies, Outcome::Block),
            denied,
        ),
        Trial::new(
            "the functions of a rollback die before and after their effect, and are throttled",
            &[Fault::DiesBefore, Fault::ReplyLost, Fault::AwsThrottles].map(retried),
            a_rollback_is_struck,
        ),
        Trial::new(
            "AWS denies a rollback its weights",
            &[(Fault::AwsDenies, Stage::RollBack, Outcome::Block)],
            a_rollback_is_denied,
        ),
    ]
}

fn calls_aws(stage: Stage) -> bool {
    let mut struck = STRUCK.iter();
    struck.any(|(of, _, effect)| *of == stage && matches!(effect, Effect::Aws(_)))
}

/// Three blue servers behind proxies, and users.
pub(crate) async fn proxied() -> Stand {
    let options = Options {
        faults: true,
        ..Options::default()
    };
    Stand::with(options).await
}

pub(crate) fn aws(scene: &Scene) -> &AwsFaults {
    scene.cloud.aws_faults().expect("a proxy before AWS")
}

/// When the function that makes this call is killed while it waits for the answer. Says what became of the call.
async fn killed(scene: &Scene, function: &str, action: &str) -> String {
    let held = aws(scene).held(action, LIMIT).await.expect("it is held");
    let killed = held.kill_caller().await.expect("it is killed");
    assert!(killed.contains(function), "{killed} made {action}");
    format!("{killed} was killed in its call of {action}")
}

async fn functions_die(ledger: Ledger, fault: Fault) {
    let mut stand = proxied().await;
    let stages = STRUCK.map(|(stage, ..)| stage);
    let mut gated = Gated::deploy(&stand.scene, &stages, &hasty()).await;
    let mut told = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let (_, function, effect) = STRUCK.into_iter().find(|it| it.0 == stage).expect("struck");
        let evidence = match effect {
            Effect::Aws(action) => {
                dies_in_a_call(&stand, &mut gated, stage, (function, action), fault).await
            }
            Effect::Order(calls) => {
                dies_in_an_order(&stand, &mut gated, stage, (function, calls), fault).await
            }
        };
        told.push((stage, evidence));
        if stage == Stage::Terminate {
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, evidence) in told {
        assert!(
            gated.story.retries(stage).await > 0,
            "no failure at {stage:?}"
        );
        let outcome = gated.story.outcome(stage, End::Promoted).await;
        ledger.record(fault, stage, outcome, evidence);
    }
    let instances = stand.scene.cloud.instances().await.expect("instances");
    assert_eq!(instances.len(), 6, "three were launched: {instances:?}");
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn dies_in_a_call(
    stand: &Stand,
    gated: &mut Gated,
    stage: Stage,
    (function, action): (&str, &str),
    fault: Fault,
) -> String {
    let aws = aws(&stand.scene);
    let before = aws.forwarded(action);
    let (held, done, what) = match fault {
        Fault::DiesBefore => (AwsFault::Held, 0, "which AWS never saw"),
        _ => (AwsFault::ReplyHeld, 1, "which AWS had done"),
    };
    aws.on_by(function, action, held, 1);
    gated.open(&stand.scene, stage).await;
    let killed = killed(&stand.scene, function, action).await;
    // The plan reads the record while others may: only its effect is its own.
    if stage != Stage::Plan {
        assert_eq!(aws.forwarded(action) - before, done, "{action}");
    }
    format!("{killed}, {what}")
}

async fn dies_in_an_order(
    stand: &Stand,
    gated: &mut Gated,
    stage: Stage,
    (function, calls): (&str, Calls),
    fault: Fault,
) -> String {
    let scene = &stand.scene;
    let server = match stage {
        Stage::Test => scene.running("tunnel-b").await.remove(0),
        _ => stand.spare().await.remove(0),
    };
    let proxies = scene.cloud.session_faults().expect("proxies");
    let (held, what) = match fault {
        Fault::DiesBefore => (SessionFault::Held, "never arrived"),
        _ => (SessionFault::ByteByByte, "was taken"),
    };
    proxies.set(&server, held, calls).await.expect("a fault");
    gated.open(scene, stage).await;
    // In the very call: a client waits for three seconds.
    scene
        .then(&format!("{function} to wait for {server}"), || async {
            let counts = proxies.counts(&server, calls);
            Ok(match counts.hits {
                0 => Err(format!("{counts:?}")),
                _ => Ok(()),
            })
        })
        .await;
    let killed = scene.cloud.kill_function(function).expect("it is killed");
    proxies.clear(&server).await.expect("no fault");
    // What was held back is dropped.
    let dropped = proxies.held(&server).len();
    assert_eq!(dropped > 0, held == SessionFault::Held, "{dropped} held");
    let processes = killed.len();
    format!(
        "{function} was killed ({processes} process) while it waited for {server}, whose order {what}"
    )
}

async fn throttled(ledger: Ledger) {
    let mut stand = proxied().await;
    let struck = STRUCK.map(|(stage, ..)| stage);
    let stages: Vec<Stage> = struck.into_iter().filter(|it| calls_aws(*it)).collect();
    let mut gated = Gated::deploy(&stand.scene, &stages, &hasty()).await;
    let mut told = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let (function, action) = call_of(stage);
        let aws = aws(&stand.scene);
        let before = aws.hits(action);
        aws.on_by(function, action, AwsFault::Throttle, usize::MAX);
        gated.open(&stand.scene, stage).await;
        failed_once(&stand.scene, &gated.story, stage, 1).await;
        aws.clear();
        let hits = aws.hits(action) - before;
        told.push((stage, format!("{hits} calls of {action} were throttled")));
        if stage == Stage::Terminate {
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, evidence) in told {
        let outcome = gated.story.outcome(stage, End::Promoted).await;
        ledger.record(Fault::AwsThrottles, stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn denied(ledger: Ledger) {
    let mut stand = proxied().await;
    let struck = STRUCK.map(|(stage, ..)| stage);
    let stages: Vec<Stage> = struck.into_iter().filter(|it| calls_aws(*it)).collect();
    let mut gated = Gated::deploy(&stand.scene, &stages, &hasty()).await;
    let mut told = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let (function, action) = call_of(stage);
        let evidence = denied_at(&stand.scene, &mut gated, stage, (function, action)).await;
        told.push((stage, evidence));
        if stage == Stage::Terminate {
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, evidence) in told {
        let outcome = gated.story.outcome(stage, End::Promoted).await;
        ledger.record(Fault::AwsDenies, stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], ALL_THREE).await;
}

/// When AWS denies a stage's call until the operator has granted it, and redriven what had stopped.
async fn denied_at(
    scene: &Scene,
    gated: &mut Gated,
    stage: Stage,
    (function, action): (&str, &str),
) -> String {
    let aws = aws(scene);
    let before = (aws.hits(action), aws.forwarded(action));
    aws.on_by(function, action, AwsFault::Deny, usize::MAX);
    gated.open(scene, stage).await;
    let stopped = gated
        .story
        .execution()
        .ended(LIMIT)
        .await
        .expect("it stops");
    let error = stopped.error.clone().unwrap_or_default();
    assert_eq!(error, "AccessDenied", "{}", stopped.describe(None));
    let hits = aws.hits(action) - before.0;
    assert!(hits > 0, "{action} was not denied");
    if stage != Stage::Plan {
        assert_eq!(aws.forwarded(action), before.1, "{action} was done");
    }
    aws.clear();
    gated.story.redriven(scene, stage).await;
    format!(
        "{action} was denied; the execution stopped with {error}, and went on when it was granted"
    )
}

fn call_of(stage: Stage) -> (&'static str, &'static str) {
    let mut struck = STRUCK.into_iter();
    let found = struck.find_map(|(of, function, effect)| match effect {
        Effect::Aws(action) if of == stage => Some((function, action)),
        _ => None,
    });
    found.expect("a stage that calls AWS")
}

/// Then so many calls of a stage's Tasks have failed.
async fn failed_once(scene: &Scene, story: &Story, stage: Stage, times: usize) {
    scene
        .then(&format!("{times} failures at {stage:?}"), || async {
            let failures = story.retries(stage).await;
            Ok(if failures >= times {
                Ok(())
            } else {
                Err(format!("{failures}"))
            })
        })
        .await;
}

/// SwitchBack dies twice, once before and once after it has moved the weights; the holding of green is throttled.
async fn a_rollback_is_struck(ledger: Ledger) {
    let stand = proxied().await;
    let (scene, aws) = (&stand.scene, aws(&stand.scene));
    let mut gated = rolling_back(scene, &[Stage::Terminate], &hasty()).await;
    let (function, action) = call_of(Stage::Switch);
    aws.on_by(function, action, AwsFault::Held, 1);
    aws.on_by(function, action, AwsFault::ReplyHeld, 1);
    gated.open(scene, Stage::RollBack).await;
    let before = killed(scene, function, action).await;
    let weights = scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(0), Some(100), None], "before the effect");
    let (holder, tags) = call_of(Stage::Hold);
    let throttled = aws.hits(tags);
    aws.on_by(holder, tags, AwsFault::Throttle, usize::MAX);
    let after = killed(scene, function, action).await;
    let weights = scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(100), Some(0), None], "after the effect");
    failed_once(scene, &gated.story, Stage::Hold, 1).await;
    aws.clear();
    let throttled = aws.hits(tags) - throttled;
    gated.held(scene, Stage::Terminate).await;
    gated.open(scene, Stage::Terminate).await;
    let outcome = gated.story.outcome(Stage::RollBack, End::RolledBack).await;
    for (fault, evidence) in [
        (
            Fault::DiesBefore,
            format!("{before}; the weights were green's"),
        ),
        (
            Fault::ReplyLost,
            format!("{after}; the weights were blue's"),
        ),
        (
            Fault::AwsThrottles,
            format!("{throttled} calls of {tags} were throttled"),
        ),
    ] {
        ledger.record(fault, Stage::RollBack, outcome, evidence);
    }
    scene.serves_as_before("RolledBack").await;
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn a_rollback_is_denied(ledger: Ledger) {
    let stand = proxied().await;
    let mut gated = rolling_back(&stand.scene, &[], &hasty()).await;
    let call = call_of(Stage::Switch);
    let evidence = denied_at(&stand.scene, &mut gated, Stage::RollBack, call).await;
    let outcome = gated.story.outcome(Stage::RollBack, End::RolledBack).await;
    ledger.record(Fault::AwsDenies, Stage::RollBack, outcome, evidence);
    stand.scene.serves_as_before("RolledBack").await;
    stand.ends(&[&gated.story], ALL_THREE).await;
}
