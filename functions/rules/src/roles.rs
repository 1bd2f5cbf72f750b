//! Which environment is blue: read from the live forward action, never from memory.
//!
//! Refuses whatever would make "all traffic is blue's" untrue. Called by the preflight.

use crate::observed::Forward;
use crate::record::Entry;

/// The two environments by their part in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The target group that has all the weight.
    pub blue: String,
    /// The first free one after it, in the order of the configuration.
    pub green: String,
}

/// Why the live forward action does not say which environment is blue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// ForeignGroup is when the action names a target group that is not one of the configured.
    #[error(
        "the forward action names {0}, which is none of the stack's target groups; remove it from the action"
    )]
    ForeignGroup(String),
    /// NoWeight is when none has weight: nobody serves.
    #[error(
        "no target group has weight in the forward action; give all of it to the one that serves"
    )]
    NoWeight,
    /// SeveralWeighted is when more than one has weight: an earlier change is unfinished.
    #[error(
        "several target groups have weight in the forward action ({}); give all of it to the one that is to be blue",
        .0.join(", ")
    )]
    SeveralWeighted(Vec<String>),
    /// NoneFree is when every other environment still retires.
    #[error(
        "no environment is free: {0}. Start this deployment again when one of them is gone; with one more target group it \
         could go on now"
    )]
    NoneFree(String),
}

/// Reads the roles from the action, the configured target groups and the environments that still retire.
///
/// # Errors
/// Everything that makes them unclear.
pub fn roles(
    forward: &Forward,
    configured: &[String],
    retiring: &[Entry],
) -> Result<Roles, Vec<Unclear>> {
    let mut unclear: Vec<Unclear> = forward
        .groups
        .iter()
        .filter(|group| !configured.contains(&group.target_group_arn))
        .map(|group| Unclear::ForeignGroup(group.target_group_arn.clone()))
        .collect();
    let weighted: Vec<usize> = (0..configured.len())
        .filter(|at| forward.weight(&configured[*at]) > 0)
        .collect();
    let found = match weighted.as_slice() {
        [] => Err(Unclear::NoWeight),
        [blue] => free(configured, *blue, retiring),
        several => Err(Unclear::SeveralWeighted(
            several.iter().map(|at| configured[*at].clone()).collect(),
        )),
    };
    match found {
        Ok(roles) if unclear.is_empty() => Ok(roles),
        Ok(_) => Err(unclear),
        Err(error) => {
            unclear.push(error);
            Err(unclear)
        }
    }
}

/// The environments take turns: the first free one after blue is green.
fn free(configured: &[String], blue: usize, retiring: &[Entry]) -> Result<Roles, Unclear> {
    let retires = |arn: &String| retiring.iter().any(|entry| entry.environment.has(arn));
    let (before, after) = configured.split_at(blue);
    let mut others = after.iter().skip(1).chain(before);
    match others.find(|arn| !retires(arn)) {
        Some(green) => Ok(Roles {
            blue: configured[blue].clone(),
            green: green.clone(),
        }),
        None => Err(Unclear::NoneFree(told(retiring))),
    }
}

fn told(retiring: &[Entry]) -> String {
    let told = retiring.iter().map(|entry| {
        let progress = entry.course.progress.as_ref();
        let waits = progress.map_or_else(String::new, |it| {
            format!(", waiting for {}, {}", it.waiting_for, it.forecast)
        });
        format!(
            "{} retires for deployment {}{waits}",
            entry.environment.name, entry.owner.deployment
        )
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;
    use crate::observed::GroupWeight;

    fn forward(weights: &[(&str, u32)]) -> Forward {
        let groups = weights
            .iter()
            .map(|(arn, weight)| GroupWeight {
                target_group_arn: (*arn).to_owned(),
                weight: *weight,
            })
            .collect();
        Forward {
            groups,
            sticky: false,
        }
    }

    fn configured(arns: &[&str]) -> Vec<String> {
        arns.iter().map(|arn| (*arn).to_owned()).collect()
    }

    fn read(weights: &[(&str, u32)]) -> Result<Roles, Vec<Unclear>> {
        roles(&forward(weights), &configured(&["a", "b"]), &[])
    }

    /// An entry that retires the environment of a target group.
    fn retiring(arn: &str) -> Entry {
        let environment = crate::Environment {
            target_group_arns: vec![arn.to_owned()],
            name: format!("tunnel-{arn}"),
            auto_scaling_group: None,
        };
        let plan = examples::recorded(&environment, &examples::environment("green"), &[]);
        examples::entry(&environment, examples::another(), plan)
    }

    #[test]
    fn the_one_with_all_the_weight_is_blue() {
        let blue = |weights| read(weights).unwrap().blue;
        assert_eq!(blue(&[("a", 1)]), "a");
        assert_eq!(blue(&[("a", 100), ("b", 0)]), "a");
        assert_eq!(blue(&[("a", 0), ("b", 1)]), "b");
    }

    #[test]
    fn two_environments_take_turns_as_ever() {
        assert_eq!(read(&[("a", 1)]).unwrap().green, "b");
        assert_eq!(read(&[("a", 0), ("b", 1)]).unwrap().green, "a");
    }

    #[test]
    fn the_first_free_one_after_blue_is_green() {
        let groups = configured(&["a", "b", "c", "d"]);
        let green = |blue: &str, taken: &[&str]| {
            let taken: Vec<Entry> = taken.iter().map(|arn| retiring(arn)).collect();
            let roles = roles(&forward(&[(blue, 100)]), &groups, &taken);
            roles.map(|roles| roles.green)
        };
        assert_eq!(green("a", &[]).unwrap(), "b");
        assert_eq!(green("a", &["b"]).unwrap(), "c");
        assert_eq!(green("c", &["d"]).unwrap(), "a");
        assert_eq!(green("d", &["a", "b"]).unwrap(), "c");
        let gone = Entry {
            state: crate::record::State::Gone,
            ..retiring("b")
        };
        let roles = roles(&forward(&[("a", 100), ("b", 0)]), &groups, &[gone]);
        assert_eq!(
            roles.unwrap().green,
            "c",
            "what is gone is not free before an action without it is confirmed"
        );
    }

    #[test]
    fn without_a_free_one_the_refusal_names_who_retires_for_whom() {
        let groups = configured(&["a", "b", "c"]);
        let mut busy = retiring("b");
        busy.course.progress = Some(progress());
        let refused = roles(&forward(&[("a", 100)]), &groups, &[busy, retiring("c")]);
        let [Unclear::NoneFree(told)] = &refused.unwrap_err()[..] else {
            panic!("not refused for want of a free one");
        };
        assert_eq!(
            told,
            "tunnel-b retires for deployment deploy-0, waiting for 2 busy sessions, all ended about 10:46; tunnel-c \
             retires for deployment deploy-0"
        );
        let sentence = Unclear::NoneFree(told.clone()).to_string();
        assert!(
            sentence.contains("with one more target group"),
            "{sentence}"
        );
    }

    fn progress() -> crate::record::Progress {
        crate::record::Progress {
            terminated: 0,
            at: examples::NOW,
            counts: crate::check::Counts::default(),
            waiting_for: "2 busy sessions".to_owned(),
            forecast: "all ended about 10:46".to_owned(),
        }
    }

    #[test]
    fn each_unclear_action_is_refused() {
        assert_eq!(read(&[]), Err(vec![Unclear::NoWeight]));
        assert_eq!(read(&[("a", 0), ("b", 0)]), Err(vec![Unclear::NoWeight]));
        assert_eq!(
            read(&[("a", 90), ("b", 10)]),
            Err(vec![Unclear::SeveralWeighted(configured(&["a", "b"]))])
        );
        assert_eq!(
            read(&[("a", 1), ("c", 0)]),
            Err(vec![Unclear::ForeignGroup("c".to_owned())])
        );
        assert_eq!(
            read(&[("c", 1)]),
            Err(vec![
                Unclear::ForeignGroup("c".to_owned()),
                Unclear::NoWeight
            ])
        );
    }
}
