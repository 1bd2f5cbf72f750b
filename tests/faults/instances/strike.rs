//! The faults that strike one blue server's process.

use ebbtide_tests::scene::Scene;

use crate::matrix::Fault;

/// The fault, at one blue server's process; one that restarts answers again when this is done.
pub(super) async fn strike(scene: &Scene, fault: Fault, instance: &str) {
    let host = scene.cloud.host();
    match fault {
        Fault::Hangs => host.stop(instance),
        Fault::Restarts => host.restart(instance).await,
        Fault::AddressReused => host.reuse_address(instance, &stranger(instance)).await,
        _ => host.kill(instance),
    }
    .expect("it is struck");
    if fault == Fault::Restarts {
        answers(scene, instance).await;
    }
}

/// When a server that was started again answers.
async fn answers(scene: &Scene, instance: &str) {
    scene
        .then("it to answer again", || async {
            let report = scene.cloud.reports().await.remove(instance);
            Ok(match report {
                Some(Ok(_)) => Ok(()),
                other => Err(format!("{other:?}")),
            })
        })
        .await;
}

/// Who has the address now.
fn stranger(instance: &str) -> String {
    instance.replacen("i-", "i-0e", 1)
}
