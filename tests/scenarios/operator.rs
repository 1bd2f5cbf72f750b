//! An operator at the command line: the program `ebbtide`, as it is built, against the local cloud.

use ebbtide_local_cloud::stack::STACK;
use ebbtide_local_cloud::{REGION, places};
use serde_json::Value;
use tokio::process::Command;

use crate::scene::Scene;

/// What `ebbtide` prints as JSON, once it has ended with status 0.
pub(crate) async fn ebbtide(scene: &Scene, arguments: &[&str]) -> Value {
    let program = places::programs().expect("programs").join("ebbtide");
    let emulators = scene.cloud.emulators().expect("emulators");
    let mut command = Command::new(program);
    command.args(arguments).args(["--output", "json"]);
    command.env_clear().envs([
        ("AWS_ENDPOINT_URL", emulators.ministack.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", REGION),
        ("EBBTIDE_STACK", STACK),
    ]);
    let ended = command.output().await.expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&ended.stdout).expect("JSON")
}
