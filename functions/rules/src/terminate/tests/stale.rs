//! Targets whose instance is gone, beside others of every kind.

use super::*;

#[test]
fn only_a_registered_target_whose_own_instance_is_terminated_is_stale() {
    let mut seen = one();
    seen.instances = vec![
        instance("i-1", InstanceState::Running),
        instance("i-2", InstanceState::Terminated),
        instance("i-3", InstanceState::Terminated),
        instance("i-4", InstanceState::ShuttingDown),
    ];
    seen.targets = vec![group("arn:a", &["i-1", "i-2", "i-3", "i-4", "i-5"])];
    // Deregistered already, and still shown until its connections have ended.
    seen.targets[0].targets[2].registered = false;
    assert_eq!(stale(&seen), ["i-2"]);
}

#[test]
fn those_that_ec2_does_not_show_count_as_left() {
    let mut seen = one();
    seen.instances
        .push(instance("i-2", InstanceState::Terminated));
    seen.unseen = vec!["i-3".to_owned(), "i-4".to_owned()];
    assert_eq!(rest(&seen, &order(Licence::Sealed)).remaining, 3);
}

#[test]
fn how_many_are_in_the_way_is_told_in_words() {
    let mut seen = one();
    seen.instances.push(instance("i-2", InstanceState::Running));
    for instance in &mut seen.instances {
        instance.tags.clear();
    }
    let blocked = conclude(&seen, &order(Licence::NeverServed)).unwrap_err();
    assert!(
        blocked.to_string().contains("2 instances that"),
        "{blocked}"
    );
}
