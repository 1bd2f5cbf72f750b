//! Whoever is late, or asks for what the record does not admit, ends nobody.

use super::*;

#[tokio::test]
async fn a_late_caller_changes_nothing() {
    for epoch in [4, 6] {
        let fake = drained();
        let mut record = fake.world().record.clone().unwrap();
        record.retiring[0].owner.epoch = epoch;
        fake.world().record = Some(record);
        assert_eq!(failure(&fake, &sealed(&ALL)).await, ErrorName::Superseded);
        assert_eq!(fake.changes(), [""; 0]);

        let fake = launched("deploy-1");
        fake.world().front().unwrap().owner.epoch = epoch;
        assert_eq!(failure(&fake, &never_served()).await, ErrorName::Superseded);
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_seal_ends_nobody_before_the_environment_is_on_the_list_nor_of_another_one() {
    let fake = drained();
    {
        let mut world = fake.world();
        let record = world.record.as_mut().unwrap();
        let entry = record.retiring.remove(0);
        record.front = Some(examples::front(entry.plan, Phase::Switched));
    }
    assert_eq!(failure(&fake, &sealed(&ALL)).await, ErrorName::Superseded);
    let fake = drained();
    let of_green = ending("b", &["i-4"], &["i-4"]);
    assert_eq!(failure(&fake, &of_green).await, ErrorName::Superseded);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_task_that_was_tried_before_leaves_a_call_that_may_still_arrive() {
    let fake = drained();
    let answer = |call: Invocation| {
        let cloud = fake.cloud();
        async move {
            Box::pin(handle(&cloud, Timestamp::UNIX_EPOCH, call))
                .await
                .unwrap()
        }
    };
    let first = answer(sealed(&ALL)).await;
    assert_eq!(first.unanswered_until, None);
    let mut again = sealed(&ALL);
    again.retries = 1;
    let until = answer(again).await.unanswered_until;
    assert_eq!(until, Some(Timestamp::from_second(75).unwrap()));
    let mut later = sealed(&ALL);
    later.document.terminate = Some(ebbtide_rules::document::Told {
        unanswered_until: until,
        ..first
    });
    assert_eq!(answer(later).await.unanswered_until, until);
}

#[tokio::test]
async fn a_caller_that_becomes_late_on_the_way_ends_no_further_instance() {
    for (operation, changes) in [
        ("DeregisterTargets", vec!["DeregisterTargets"]),
        (
            "TerminateInstances",
            vec!["DeregisterTargets", "TerminateInstances"],
        ),
    ] {
        let fake = drained();
        fake.fail(operation, Fault::Superseding);
        assert_eq!(failure(&fake, &sealed(&ALL)).await, ErrorName::Superseded);
        assert_eq!(fake.changes(), changes, "superseded during {operation}");
    }
}

#[tokio::test]
async fn a_document_that_contradicts_itself_and_another_act_are_refused() {
    let fake = drained();
    let mut other = sealed(&ALL);
    other.act = Act::Hold;
    let mut of_another = sealed(&ALL);
    of_another.document.retiring = Some(examples::listed(&environment("b"), &servers(&ALL)));
    let mut uncounted = sealed(&ALL);
    uncounted.document.check = None;
    let mut misnamed = environment("a");
    "tunnel-b".clone_into(&mut misnamed.name);
    let mut under_another_name = sealed(&ALL);
    under_another_name.document.retiring = Some(examples::listed(&misnamed, &servers(&ALL)));
    under_another_name.document.record = Some(examples::answer(Doing::Draining {
        environment: misnamed,
        moments: examples::moments(),
    }));
    for call in [other, of_another, uncounted, under_another_name] {
        assert_eq!(failure(&fake, &call).await, ErrorName::InvalidInput);
        assert_eq!(fake.changes(), [""; 0]);
    }
}
