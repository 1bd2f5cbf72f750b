//! Somebody else who moves the weights again and again: set right a few times, told, and then left to an operator.

use ebbtide_local_cloud::Execution;
use serde_json::json;

use crate::metrics::{OF_A_PROMOTION, OF_A_SWITCH, told};
use crate::scene::Scene;
use crate::sessions::Seen;

/// When somebody gives blue all weight again.
async fn moved(scene: &Scene) {
    let moved = scene.cloud.set_weights(100, 0).await;
    moved.expect("the weights are moved");
}

/// When that is set right for the `times`th time, the record counts it, and says so.
async fn set_right(scene: &Scene, execution: &Execution, times: u32) {
    moved(scene).await;
    let often = match times {
        1 => "set right once".to_owned(),
        times => format!("set right {times} times"),
    };
    scene
        .then(&format!("weights that were {often}"), || async {
            let front = scene.cloud.record().await?.front;
            let course = front.map(|front| front.course);
            let told = course.as_ref().is_some_and(|course| {
                let progress = course.progress.as_ref();
                course.repairs == times
                    && progress.is_some_and(|progress| progress.waiting_for.contains(&often))
            });
            let standing = execution.standing().await?.describe(None);
            Ok(if told {
                Ok(())
            } else {
                Err(format!("{standing}: {course:?}"))
            })
        })
        .await;
    let weights = scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(0), Some(100), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_that_somebody_else_moves_are_set_right_three_times_and_then_told_to_an_operator() {
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(6).await;
    let mut busy = scene.busy("busy").await;
    // Given a deployment in its bake, whose load balancer needs longer to settle than a fight over weights takes
    let input = json!({"bake": {"seconds": 60}, "drain": {"settleSeconds": 60, "pollSeconds": 2}});
    let execution = scene.deploy(&input).await;
    scene.passes(&execution, "DecidePass", 1).await;
    // When somebody moves the weights back to blue, again and again
    for times in 1..=3 {
        set_right(&scene, &execution, times).await;
    }
    moved(&scene).await;
    // Then the fourth time it stops and says what it found
    let cause = scene.fails_with(&execution, "WeightsContested").await;
    let last = execution.last_state().await.expect("a history");
    assert_eq!(last.as_deref(), Some("SwitchTargetGroup"));
    for words in ["set right 3 times", "tunnel-a", "100"] {
        assert!(cause.contains(words), "{words} in {cause}");
    }
    let weights = scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(100), Some(0), None]);
    // And nobody has been asked to move, nothing is sealed, nothing has ended
    nothing_has_drained(&scene).await;
    assert!(idle.iter().all(|session| session.seen() == Seen::Open));
    scene.all_still_busy([&busy]);
    // When the other one has given up and the execution is redriven
    let again = scene.redriven(&execution).await;
    // Then it goes on and ends well, and nobody busy is cut
    scene.all_handed_over(&idle).await;
    scene.all_still_busy([&busy]);
    busy.leave();
    scene.promoted(&again).await;
    let lines = told(&scene, "contested", &[OF_A_SWITCH, OF_A_PROMOTION]).await;
    let repairs = lines.iter().filter(|line| line["Repairs"] == 1.0);
    assert_eq!(repairs.count(), 4, "three, and one of the redrive");
    scene.ends().await;
}

/// Then every server of both environments runs and takes sessions as before.
async fn nothing_has_drained(scene: &Scene) {
    assert_eq!(scene.running("tunnel-a").await.len(), scene.blue().len());
    assert_eq!(scene.running("tunnel-b").await.len(), scene.blue().len());
    for (instance, report) in scene.cloud.reports().await {
        let report = report.expect("a report");
        assert_eq!(
            (report.admission.as_str(), report.closed),
            ("open", 0),
            "{instance}"
        );
    }
}
