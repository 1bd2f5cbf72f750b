//! Session endpoints that answer wrongly, late or not at all: some of a service's servers, each in another way at once.
//!
//! A server that lies does so where it matters most: to the order of the stage, with the report of a server that obeyed and
//! holds nothing. Each cell is judged by what became of its own server.

use ebbtide_local_cloud::faults::{Calls, SessionFault, SessionFaults};
use ebbtide_local_cloud::options::Options;
use ebbtide_tests::sessions::Seen;
use serde_json::{Value, json};

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::rolling_back;
use crate::stand::{Floor, Stand};
use crate::story::{End, Story, outputs};
use crate::trial::{Ledger, Trial};

type Row = (Fault, SessionFault, &'static str);
/// A server, and what is wrong with it.
type Wrong<'a> = (&'static Row, &'a String);

/// The rows, each with what its server does and the words in which the deployment must tell it.
const ROWS: [Row; 10] = [
    (
        Fault::EndpointTimesOut,
        SessionFault::TimeOut,
        "no answer in time",
    ),
    (
        Fault::EndpointRefuses,
        SessionFault::Refuse,
        "connection refused",
    ),
    (
        Fault::EndpointUnauthorized,
        SessionFault::Unauthorized,
        "it takes signed calls only",
    ),
    (
        Fault::EndpointServerError,
        SessionFault::ServerError,
        "HTTP status 500",
    ),
    (
        Fault::EndpointBrokenJson,
        SessionFault::BrokenJson,
        "not a JSON report",
    ),
    (
        Fault::EndpointNegative,
        SessionFault::NegativeCount,
        "busy is malformed",
    ),
    (
        Fault::EndpointAbsurd,
        SessionFault::AbsurdCount,
        "idle is absurdly large",
    ),
    (
        Fault::EndpointOther,
        SessionFault::AnotherInstance,
        "another instance answers",
    ),
    (
        Fault::EndpointSlow,
        SessionFault::ByteByByte,
        "no answer in time",
    ),
    (
        Fault::EndpointReplyLost,
        SessionFault::ReplyLost,
        "the connection broke",
    ),
];

/// A server for each row, two for the busy session and its request, and two that are well.
const SERVERS: usize = ROWS.len() + 4;

pub(crate) fn trials() -> Vec<Trial> {
    let blue = [&plan()[..], &all(Stage::Drain), &all(Stage::Check)].concat();
    vec![
        Trial::new(
            "a blue server takes signed calls only, and the service signs none",
            &[(Fault::EndpointUnauthorized, Stage::Plan, Outcome::Refused)],
            blue_demands_signatures,
        ),
        Trial::new(
            "ten blue servers answer wrongly when they are planned with, drained and asked to seal",
            &blue,
            blue_answers_wrongly,
        ),
        Trial::new(
            "ten green servers answer wrongly when they are tested",
            &all(Stage::Test),
            green_answers_wrongly,
        ),
        Trial::new(
            "ten blue servers answer wrongly when they are to open again",
            &all(Stage::RollBack),
            blue_answers_wrongly_in_a_rollback,
        ),
    ]
}

fn all(stage: Stage) -> Vec<(Fault, Stage, Outcome)> {
    let rows = ROWS.iter();
    rows.map(|(fault, ..)| (*fault, stage, Outcome::Retry))
        .collect()
}

/// What the plan asks again for. It orders nothing, so that no order's answer can be lost; and what takes signed calls only
/// will not change its mind.
fn is_asked_again(fault: Fault) -> bool {
    ![Fault::EndpointReplyLost, Fault::EndpointUnauthorized].contains(&fault)
}

fn plan() -> Vec<(Fault, Stage, Outcome)> {
    let mut cells = all(Stage::Plan);
    cells.retain(|(fault, ..)| is_asked_again(*fault));
    cells
}

/// One of these servers for each row.
fn each(servers: &[String]) -> Vec<Wrong<'_>> {
    ROWS.iter().zip(servers).collect()
}

async fn stand(blue: usize) -> Stand {
    let options = Options {
        faults: true,
        blue,
        ..Options::default()
    };
    Stand::with(options).await
}

/// Four servers of blue are enough, whatever the ten others say.
fn input() -> Value {
    json!({
        "green": {"count": 3},
        "bake": {"seconds": 3},
        "drain": {"settleSeconds": 1, "pollSeconds": 2},
        "minimumHealthyPercent": 20,
    })
}

fn faults(stand: &Stand) -> &SessionFaults {
    let faults = stand.scene.cloud.session_faults();
    faults.expect("proxies before the servers")
}

/// When each of these servers answers these calls in its own wrong way.
async fn set(stand: &Stand, wrong: &[Wrong<'_>], calls: Calls) {
    for ((_, fault, _), server) in wrong {
        // A connection is refused before it is known what for.
        let calls = match fault {
            SessionFault::Refuse => Calls::All,
            _ => calls,
        };
        let set = faults(stand).set(server, *fault, calls).await;
        set.expect("a fault");
    }
}

/// When all of them answer well again. Each was called while it did not, or refused connections.
async fn clear(stand: &Stand, wrong: &[Wrong<'_>], calls: Calls) {
    for ((_, fault, _), server) in wrong {
        faults(stand).clear(server).await.expect("no fault");
        let counts = faults(stand).counts(server, calls);
        let met = counts.hits > 0 || *fault == SessionFault::Refuse;
        assert!(met, "{fault:?} was met by no call: {counts:?}");
    }
}

/// What a state said of the servers that it could not hear: where in its output.
fn told(state: &str, output: &Value) -> Value {
    match state {
        "DrainIdle" => output["drain"]["unknown"].clone(),
        "CheckDrained" => output["check"]["counts"]["unknownServers"].clone(),
        _ => output["resume"]["unknown"].clone(),
    }
}

/// Then one output of this state has named every one of the servers, each with the words for its fault.
async fn named(story: &Story, state: &str, wrong: &[Wrong<'_>]) -> Result<(), String> {
    let history = story.execution().history().await.expect("a history");
    let mut last = Value::Null;
    for (_, output) in outputs(&history).filter(|(left, _)| left == state) {
        let lacking = missing(&told(state, &output), wrong);
        if lacking.is_empty() {
            return Ok(());
        }
        last = json!({"lacking": lacking, "told": told(state, &output)});
    }
    Err(format!("{state} never named them all: {last}"))
}

fn missing(told: &Value, wrong: &[Wrong<'_>]) -> Vec<String> {
    let list: Vec<&Value> = told.as_array().into_iter().flatten().collect();
    let tells = |words: &str, server: &str| {
        list.iter().any(|one| {
            let reason = one["reason"].as_str().unwrap_or_default();
            one["instance"] == server && reason.contains(words)
        })
    };
    let lacking = wrong.iter();
    let lacking = lacking.filter(|((_, _, words), server)| !tells(words, server));
    lacking
        .map(|((fault, ..), server)| format!("{fault:?} {server}"))
        .collect()
}

/// When a test has failed because of servers that answer wrongly; its cause names a few of them.
async fn until_asked_again(stand: &Stand, story: &Story, state: &str, wrong: &[Wrong<'_>]) {
    let causes = story.fails_in(&stand.scene, state, "NotFitYet").await;
    let named = causes
        .iter()
        .any(|cause| wrong.iter().any(|(_, server)| cause.contains(*server)));
    assert!(named, "{causes:?}");
}

async fn until_named(stand: &Stand, story: &Story, state: &str, wrong: &[Wrong<'_>]) {
    stand
        .scene
        .then(
            &format!("{state} to name the servers that answer wrongly"),
            || async { Ok(named(story, state, wrong).await) },
        )
        .await;
}

/// Records the cells of a stage; the evidence has the words in which the deployment told the fault.
async fn record(
    ledger: &Ledger,
    story: &Story,
    stage: Stage,
    wrong: &[Wrong<'_>],
    end: End,
    and: &str,
) {
    for ((fault, _, words), server) in wrong {
        let outcome = story.outcome_of(stage, server, end).await;
        let evidence = match stage {
            Stage::Plan | Stage::Test => and.to_owned(),
            _ => format!("named with \"{words}\"; {and}"),
        };
        ledger.record(*fault, stage, outcome, evidence);
    }
}

async fn blue_demands_signatures(ledger: Ledger) {
    let mut stand = stand(4).await;
    let spare = stand.spare().await;
    let server = &spare[0];
    let set = faults(&stand).set(server, SessionFault::Unauthorized, Calls::Read);
    set.await.expect("a fault");
    // When a deployment reads it, it is told at once what is missing, and nothing was touched
    let story = Story::of(stand.scene.deploy(&input()).await);
    let (end, standing) = story.ended().await;
    let cause = standing.describe(None);
    assert!(
        end == End::Refused
            && cause.contains(server)
            && cause.contains("it takes signed calls only"),
        "{cause}"
    );
    faults(&stand).clear(server).await.expect("no fault");
    let (fault, stage) = (Fault::EndpointUnauthorized, Stage::Plan);
    let evidence = "PreflightRefused names the server and the missing secret; nothing was touched";
    ledger.record(fault, stage, Outcome::Refused, evidence.to_owned());
    stand.busy_leave();
    stand.ends(&[&story], Floor(3)).await;
}

async fn blue_answers_wrongly(ledger: Ledger) {
    let mut stand = stand(SERVERS).await;
    let spare = stand.spare().await;
    let wrong = &each(&spare)[..];
    let stages = [Stage::Plan, Stage::Drain, Stage::Check, Stage::Terminate];
    let mut gated = Gated::deploy(&stand.scene, &stages, &input()).await;
    // When they answer wrongly while they are only read
    gated.held(&stand.scene, Stage::Plan).await;
    let reads = wrong
        .iter()
        .filter(|((fault, ..), _)| is_asked_again(*fault));
    let reads = &reads.copied().collect::<Vec<_>>()[..];
    set(&stand, reads, Calls::Read).await;
    gated.open(&stand.scene, Stage::Plan).await;
    until_asked_again(&stand, &gated.story, "TestBlue", reads).await;
    clear(&stand, reads, Calls::Read).await;
    // When they answer wrongly to the order to drain
    gated.held(&stand.scene, Stage::Drain).await;
    set(&stand, wrong, Calls::Drain).await;
    gated.open(&stand.scene, Stage::Drain).await;
    gated.held(&stand.scene, Stage::Check).await;
    until_named(&stand, &gated.story, "DrainIdle", wrong).await;
    clear(&stand, wrong, Calls::Drain).await;
    // When they answer wrongly to the order to seal
    set(&stand, wrong, Calls::Seal).await;
    gated.open(&stand.scene, Stage::Check).await;
    gated.held(&stand.scene, Stage::Terminate).await;
    until_named(&stand, &gated.story, "CheckDrained", wrong).await;
    gated.open(&stand.scene, Stage::Terminate).await;
    let execution = gated.story.execution();
    stand.scene.passes(execution, "TerminateBlue", 3).await;
    // Then none of them is ended, and with them no session
    let left = stand.scene.running("tunnel-a").await;
    let all_live = wrong.iter().all(|(_, server)| left.contains(server));
    assert!(all_live, "{left:?}");
    stand.nobody_cut();
    clear(&stand, wrong, Calls::Seal).await;
    stand.busy_leave();
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, servers, and) in [
        (Stage::Plan, reads, "asked again, and then planned with"),
        (Stage::Drain, wrong, "asked again in the next pass"),
        (Stage::Check, wrong, "alive until it had sealed"),
    ] {
        record(&ledger, &gated.story, stage, servers, End::Promoted, and).await;
    }
    stand.ends(&[&gated.story], Floor(3)).await;
}

async fn green_answers_wrongly(ledger: Ledger) {
    let mut stand = stand(3).await;
    let mut input = input();
    input["green"]["count"] = json!(ROWS.len());
    let stages = [Stage::Test, Stage::Terminate];
    let mut gated = Gated::deploy(&stand.scene, &stages, &input).await;
    gated.held(&stand.scene, Stage::Test).await;
    let green = stand.scene.running("tunnel-b").await;
    assert_eq!(green.len(), ROWS.len(), "{green:?}");
    let wrong = &each(&green)[..];
    set(&stand, wrong, Calls::Resume).await;
    gated.open(&stand.scene, Stage::Test).await;
    until_asked_again(&stand, &gated.story, "TestGreen", wrong).await;
    // Then green has no weight yet
    let weights = stand.scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(100), Some(0), None]);
    clear(&stand, wrong, Calls::Resume).await;
    gated.held(&stand.scene, Stage::Terminate).await;
    stand.busy_leave();
    gated.open(&stand.scene, Stage::Terminate).await;
    let and = "asked again, and accepted when it answered well";
    record(
        &ledger,
        &gated.story,
        Stage::Test,
        wrong,
        End::Promoted,
        and,
    )
    .await;
    stand.scene.released("Promoted").await;
    assert_eq!(stand.scene.running("tunnel-b").await, green);
    stand.ends(&[&gated.story], Floor(3)).await;
}

async fn blue_answers_wrongly_in_a_rollback(ledger: Ledger) {
    let stand = stand(SERVERS).await;
    let spare = stand.spare().await;
    let wrong = &each(&spare)[..];
    let mut gated = rolling_back(&stand.scene, &[], &input()).await;
    // Green cannot end while this one is busy: the passes go on.
    let mut on_green = stand.scene.busy("on-green").await;
    set(&stand, wrong, Calls::Resume).await;
    gated.open(&stand.scene, Stage::RollBack).await;
    until_named(&stand, &gated.story, "ResumeBlueAgain", wrong).await;
    clear(&stand, wrong, Calls::Resume).await;
    opens_again(&stand, wrong).await;
    assert_eq!(on_green.seen(), Seen::Asked);
    on_green.leave();
    let and = "asked again in each pass until it was open, while the minimum served";
    let end = End::RolledBack;
    record(&ledger, &gated.story, Stage::RollBack, wrong, end, and).await;
    stand.scene.serves_as_before("RolledBack").await;
    // A server that was told to drain and cannot be told to open refuses sessions that the load balancer sends it: a
    // minimum of a fifth asks for no better.
    stand.ends_after_an_outage(&[&gated.story], Floor(3)).await;
}

/// Then each of these servers comes to take sessions.
async fn opens_again(stand: &Stand, wrong: &[Wrong<'_>]) {
    stand
        .scene
        .then("every blue server to be open", || async {
            let mut reports = stand.scene.cloud.reports().await;
            reports.retain(|id, _| wrong.iter().any(|(_, server)| *server == id));
            let closed = reports.iter().find(|(_, report)| {
                let open = report.as_ref().is_ok_and(|it| it.admission == "open");
                !open
            });
            Ok(closed.map_or(Ok(()), |closed| Err(format!("{closed:?}"))))
        })
        .await;
}
