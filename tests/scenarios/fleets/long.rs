//! A long drain of a group, in a stack that names no launch template: its passes go on in another execution.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_groups_drain_goes_on_in_another_execution_and_its_own_template_is_launched_from() {
    // Given groups that have the template by themselves, and executions of few passes
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = Options {
        parameters: vec![own("LaunchTemplateId", ""), own("PassesPerExecution", "8")],
        ..Options::default()
    };
    let scene = fleets_with(options).await;
    let witness = scene.cloud.witness();
    let before = settings(&scene, GROUPS[0]).await;
    let mut busy = scene.busy("busy").await;
    let release = scene.cloud.add_version("").await.expect("a version");
    // When a busy session outlasts the first
    let first = scene.deploy(&hasty()).await;
    scene.retires(first.name(), "tunnel-a").await;
    let known = scene.cloud.executions().await.expect("executions");
    let known: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    let second = scene.continues(&known).await;
    scene.passes(&second, "CheckDrained", 1).await;
    scene.all_still_busy([&busy]);
    busy.leave();
    scene.promoted(&second).await;
    // Then the group is parked as it is after a drain in one execution, and green's runs the new version
    let is = settings(&scene, GROUPS[0]).await;
    assert_eq!(is, parked(&before, first.name(), "tunnel-a"));
    assert_eq!(
        settings(&scene, GROUPS[1]).await.version,
        release.to_string()
    );
    scene.minimum_held(witness, &[first.name()]).await;
    scene.ends().await;
}
