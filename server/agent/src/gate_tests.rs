//! What must not wait for the helper.

use std::time::Duration;

use tokio::task::spawn_blocking;

use super::*;
use crate::channel::Channel;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_last_count_is_given_while_the_helper_works() {
    let (helper, ours) = Channel::pair().unwrap();
    let orders = Orders::new(ours);
    let gate = Arc::new(KernelGate::new(&[1], orders, IdlePolicy::default(), None));
    let looking = gate.clone();
    let looking = spawn_blocking(move || looking.look());
    let asked = spawn_blocking(move || {
        let asked = helper.receive(Some(Duration::from_secs(60)));
        asked.unwrap().unwrap();
        helper
    });
    let helper = asked.await.unwrap();
    // On the runtime's own thread, as the endpoint asks, and the helper answers nothing yet.
    assert_eq!(gate.count(), Count::default());
    assert!(!looking.is_finished(), "it waited for the helper");
    drop(helper);
    looking.await.unwrap().unwrap_err();
}
