//! Weights that somebody else moves, as the record counts them.

use ebbtide_aws::fake::Fake;
use ebbtide_rules::document::Act;
use ebbtide_rules::record::Doing;

use crate::{ALL_GREEN, Run, check, confirmed, draining};

#[tokio::test]
async fn each_repair_is_counted_once_in_the_pass_that_made_it_and_none_while_blue_drains() {
    let fake = Fake::new();
    fake.world().switch(0, 100);
    let mut run = Run::of_deploy_1(Doing::Watching { weights: ALL_GREEN });
    for repaired in [true, false, true] {
        let mut switch = confirmed(5, &["a", "b"]);
        switch.answer.repairs.repaired = repaired;
        run.document.switch = Some(switch);
        run.goes_on(&fake, Act::Pass).await;
    }
    let repairs = fake.world().front().unwrap().course.repairs;
    assert_eq!(repairs, 2);

    let fake = Fake::new();
    fake.world().retires("a");
    run.document.record.as_mut().unwrap().doing = draining();
    run.document.check = Some(check());
    run.goes_on(&fake, Act::Pass).await;
    let record = fake.world().record.clone().unwrap();
    assert_eq!(record.retiring[0].course.repairs, 0);
}
