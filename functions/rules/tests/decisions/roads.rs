//! Whole roads, answer by answer.

use ebbtide_rules::record::Kind;
use ebbtide_rules::terminate::Verdict;

use crate::drains::draining;
use crate::scene::{ended, free, quiet, second};
use crate::told::Script;

#[test]
fn three_deployments_one_after_the_other() {
    let mut script = Script::default();
    let (record, mut first) = draining("first", &free(), "a", "b");
    let (record, mut next) = draining("second", &record, "b", "c");
    next.document.terminate = Some(ended(Verdict::Gone, 0, second(1100)));
    let record = script.go(
        "the second one's drain ends first",
        &record,
        &mut next,
        Kind::Release,
        &quiet(),
        second(1100),
    );
    first.document.terminate = Some(ended(Verdict::Gone, 0, second(1101)));
    let record = script.go(
        "the first one's ends while the second detaches",
        &record,
        &mut first,
        Kind::Release,
        &quiet(),
        second(1101),
    );
    next.document.detached = Some(next.switched(second(1102), (0, 100), &["c", "a"], 0));
    let record = script.go(
        "which left the first one's group in the action",
        &record,
        &mut next,
        Kind::Release,
        &quiet(),
        second(1102),
    );
    next.document.detached = Some(next.switched(second(1103), (0, 100), &["c"], 0));
    script.go(
        "and takes it out now",
        &record,
        &mut next,
        Kind::Release,
        &quiet(),
        second(1104),
    );
    insta::assert_snapshot!(script.text());
}
