//! What must not wait for nft.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::*;
use crate::nft::Nft;

/// An nft that has begun once there is a file `begun`, and ends once there is one `go`, or after a while.
fn slow_nft(directory: &std::path::Path) -> Nft {
    let program = directory.join("nft");
    let script = format!(
        "#!/bin/sh\ntouch {0}/begun\nfor turn in $(seq 500); do [ -e {0}/go ] && exit 1; sleep 0.01; done\nexit 1\n",
        directory.display()
    );
    std::fs::write(&program, script).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, executable).unwrap();
    Nft::new(&program)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_last_count_is_given_while_nft_works() {
    let directory = tempfile::tempdir().unwrap();
    let rules = Rules::new(slow_nft(directory.path()), "ebbtide", &[1]);
    let gate = Arc::new(KernelGate::new(&[1], rules, IdlePolicy::default(), None));
    let looking = gate.clone();
    let looking = spawn_blocking(move || looking.look());
    while !directory.path().join("begun").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // On the runtime's own thread, as the endpoint asks. If it waited, nft would never be heard.
    assert_eq!(gate.count(), Count::default());
    assert!(!looking.is_finished(), "it waited for nft");
    std::fs::write(directory.path().join("go"), "").unwrap();
    looking.await.unwrap().unwrap_err();
}
