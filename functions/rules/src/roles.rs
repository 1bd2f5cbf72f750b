//! Which environment is blue: read from the live forward actions, never from memory.
//!
//! Refuses whatever would make "all traffic is blue's" untrue. Called by the preflight.

use crate::observed::{Forward, Listener};
use crate::record::Entry;
use crate::shape::{Environment, group_name};

/// The two environments by their part in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The environment that has all the weight, at every listener.
    pub blue: Environment,
    /// The first free one after it, in the order of the configuration.
    pub green: Environment,
}

/// Why the live forward actions do not say which environment is blue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// ForeignGroup is when an action names a target group that is not one of the configured.
    #[error(
        "the forward action of {listener} names {group}, which is none of the stack's target groups; remove it from the \
         action"
    )]
    ForeignGroup {
        /// The listener or rule.
        listener: String,
        /// The target group's ARN.
        group: String,
    },
    /// Misplaced is when an action names a target group that TargetGroupArns has among those of another listener.
    #[error(
        "the forward action of {listener} names {group}, which TargetGroupArns has among the groups of {of}: list the \
         groups of the first listener in ListenerArn first, one for each environment, then those of the second in the same \
         order, and so on"
    )]
    Misplaced {
        /// The listener or rule.
        listener: String,
        /// The target group's name.
        group: String,
        /// Whose it is by its place.
        of: String,
    },
    /// NoWeight is when none has weight: nobody serves.
    #[error(
        "no target group has weight in the forward action of {0}; give all of it to the one that serves"
    )]
    NoWeight(String),
    /// SeveralWeighted is when more than one has weight: an earlier change is unfinished.
    #[error(
        "several target groups have weight in the forward action of {listener} ({}); give all of it to the one that is to \
         be blue", .groups.join(", ")
    )]
    SeveralWeighted {
        /// The listener or rule.
        listener: String,
        /// The target groups' names.
        groups: Vec<String>,
    },
    /// Divided is when two listeners send to different environments.
    #[error(
        "{} does not forward to the environment that {} forwards to: {} has all the weight here, and {} there; give all \
         weight of both to the target groups of the environment that is to be blue", .1.0, .0.0, .1.1, .0.1
    )]
    Divided((String, String), (String, String)),
    /// Realigned is when the stack's listeners are others than those of an environment that still retires.
    #[error(
        "{environment} retires for deployment {deployment}, which began with other listeners ({}); put those first in \
         ListenerArn, in their order, until it is gone", .listeners.join(", ")
    )]
    Realigned {
        /// The environment that retires.
        environment: String,
        /// For whom.
        deployment: String,
        /// Those of its plan.
        listeners: Vec<String>,
    },
    /// NoneFree is when every other environment still retires.
    #[error(
        "no environment is free: {0}. Start this deployment again when one of them is gone; with one more target group it \
         could go on now"
    )]
    NoneFree(String),
}

/// Reads the roles from the actions, the configured environments and those that still retire.
///
/// # Errors
/// Everything that makes them unclear.
pub fn roles(
    listeners: &[Listener],
    configured: &[Environment],
    retiring: &[Entry],
) -> Result<Roles, Vec<Unclear>> {
    let mut unclear = Vec::new();
    let mut serving: Option<(&Listener, usize)> = None;
    for (place, listener) in listeners.iter().enumerate() {
        unclear.extend(strangers(place, listeners, configured));
        match (serves(place, listener, configured), serving) {
            (Err(wrong), _) => unclear.push(wrong),
            (Ok(blue), None) => serving = Some((listener, blue)),
            (Ok(blue), Some((first, before))) if blue != before => {
                let told = |of: &Listener, at: usize| (of.arn.clone(), configured[at].name.clone());
                unclear.push(Unclear::Divided(told(first, before), told(listener, blue)));
            }
            (Ok(_), Some(_)) => {}
        }
    }
    unclear.extend(retiring.iter().filter_map(|it| realigned(it, listeners)));
    let roles = serving.map(|(_, blue)| free(configured, blue, retiring));
    match roles {
        Some(Ok(roles)) if unclear.is_empty() => return Ok(roles),
        Some(Err(none)) => unclear.push(none),
        _ => {}
    }
    Err(unclear)
}

/// What an action names and is none of the groups that the environments have at this listener.
fn strangers(place: usize, listeners: &[Listener], configured: &[Environment]) -> Vec<Unclear> {
    let listener = &listeners[place];
    let of = |arn: &str| -> Option<usize> {
        let mut places = configured
            .iter()
            .flat_map(|it| it.target_group_arns.iter().enumerate());
        places.find(|(_, own)| *own == arn).map(|(place, _)| place)
    };
    let stranger = |arn: &String| match of(arn) {
        Some(own) if own == place => None,
        Some(other) => Some(Unclear::Misplaced {
            listener: listener.arn.clone(),
            group: group_name(arn).to_owned(),
            of: listeners
                .get(other)
                .map_or_else(String::new, |it| it.arn.clone()),
        }),
        None => Some(Unclear::ForeignGroup {
            listener: listener.arn.clone(),
            group: arn.clone(),
        }),
    };
    let named = listener.forward.groups.iter();
    named
        .filter_map(|it| stranger(&it.target_group_arn))
        .collect()
}

/// The place of the environment that has all the weight at a listener.
fn serves(place: usize, listener: &Listener, configured: &[Environment]) -> Result<usize, Unclear> {
    let weighted: Vec<usize> = (0..configured.len())
        .filter(|at| weight(&listener.forward, &configured[*at], place) > 0)
        .collect();
    match weighted.as_slice() {
        [] => Err(Unclear::NoWeight(listener.arn.clone())),
        [blue] => Ok(*blue),
        several => {
            let groups = several
                .iter()
                .filter_map(|at| configured[*at].target_group(place));
            Err(Unclear::SeveralWeighted {
                listener: listener.arn.clone(),
                groups: groups.map(|arn| group_name(arn).to_owned()).collect(),
            })
        }
    }
}

fn weight(forward: &Forward, environment: &Environment, place: usize) -> u32 {
    let group = environment.target_group(place);
    group.map_or(0, |group| forward.weight(group))
}

/// The groups of what retires are found by the places of its own listeners: those have to be the first ones still. A plan
/// of a version that knew one listener names none.
fn realigned(entry: &Entry, listeners: &[Listener]) -> Option<Unclear> {
    let own = &entry.plan.listeners;
    let now: Vec<&String> = listeners.iter().map(|it| &it.arn).take(own.len()).collect();
    (now != own.iter().collect::<Vec<_>>()).then(|| Unclear::Realigned {
        environment: entry.environment.name.clone(),
        deployment: entry.owner.deployment.clone(),
        listeners: own.clone(),
    })
}

/// The environments take turns: the first free one after blue is green. What retires is known by its groups, of which a
/// stack that has a listener more has more.
fn free(configured: &[Environment], blue: usize, retiring: &[Entry]) -> Result<Roles, Unclear> {
    let retires = |it: &&Environment| {
        let mut groups = it.target_group_arns.iter();
        groups.any(|arn| retiring.iter().any(|entry| entry.environment.has(arn)))
    };
    let (before, after) = configured.split_at(blue);
    let mut others = after.iter().skip(1).chain(before);
    match others.find(|it| !retires(it)) {
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

    fn listener(arn: &str, weights: &[(&str, u32)]) -> Listener {
        let weight = |(arn, weight): &(&str, u32)| GroupWeight {
            target_group_arn: (*arn).to_owned(),
            weight: *weight,
        };
        Listener {
            arn: arn.to_owned(),
            forward: Forward {
                groups: weights.iter().map(weight).collect(),
                sticky: false,
            },
        }
    }

    /// Environments by their groups: `"a a2"` has one at each of two listeners.
    fn configured(environments: &[&str]) -> Vec<Environment> {
        let groups = |arns: &&str| arns.split(' ').map(str::to_owned).collect();
        let environment = |arns: &&str| Environment {
            target_group_arns: groups(arns),
            name: arns.split(' ').next().unwrap().to_owned(),
            auto_scaling_group: None,
        };
        environments.iter().map(environment).collect()
    }

    fn read(weights: &[(&str, u32)]) -> Result<Roles, Vec<Unclear>> {
        roles(&[listener("one", weights)], &configured(&["a", "b"]), &[])
    }

    /// An entry that retires the environment of a target group.
    fn retiring(arn: &str) -> Entry {
        let environment = Environment {
            name: format!("tunnel-{arn}"),
            ..configured(&[arn])[0].clone()
        };
        let plan = examples::recorded(&environment, &examples::environment("green"), &[]);
        let plan = crate::plan::Recorded {
            listeners: vec!["one".to_owned()],
            ..plan
        };
        examples::entry(&environment, examples::another(), plan)
    }

    #[test]
    fn the_one_with_all_the_weight_is_blue() {
        let blue = |weights| read(weights).unwrap().blue.name;
        assert_eq!(blue(&[("a", 1)]), "a");
        assert_eq!(blue(&[("a", 100), ("b", 0)]), "a");
        assert_eq!(blue(&[("a", 0), ("b", 1)]), "b");
    }

    #[test]
    fn two_environments_take_turns_as_ever() {
        assert_eq!(read(&[("a", 1)]).unwrap().green.name, "b");
        assert_eq!(read(&[("a", 0), ("b", 1)]).unwrap().green.name, "a");
    }

    #[test]
    fn the_first_free_one_after_blue_is_green() {
        let groups = configured(&["a", "b", "c", "d"]);
        let green = |blue: &str, taken: &[&str]| {
            let taken: Vec<Entry> = taken.iter().map(|arn| retiring(arn)).collect();
            let roles = roles(&[listener("one", &[(blue, 100)])], &groups, &taken);
            roles.map(|roles| roles.green.name)
        };
        assert_eq!(green("a", &[]).unwrap(), "b");
        assert_eq!(green("a", &["b"]).unwrap(), "c");
        assert_eq!(green("c", &["d"]).unwrap(), "a");
        assert_eq!(green("d", &["a", "b"]).unwrap(), "c");
        let gone = Entry {
            state: crate::record::State::Gone,
            ..retiring("b")
        };
        let roles = roles(
            &[listener("one", &[("a", 100), ("b", 0)])],
            &groups,
            &[gone],
        );
        assert_eq!(
            roles.unwrap().green.name,
            "c",
            "what is gone is not free before an action without it is confirmed"
        );
    }

    #[test]
    fn without_a_free_one_the_refusal_names_who_retires_for_whom() {
        let groups = configured(&["a", "b", "c"]);
        let mut busy = retiring("b");
        busy.course.progress = Some(progress());
        let refused = roles(
            &[listener("one", &[("a", 100)])],
            &groups,
            &[busy, retiring("c")],
        );
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
        let one = || "one".to_owned();
        let no_weight = || Unclear::NoWeight(one());
        let foreign = || Unclear::ForeignGroup {
            listener: one(),
            group: "c".to_owned(),
        };
        assert_eq!(read(&[]), Err(vec![no_weight()]));
        assert_eq!(read(&[("a", 0), ("b", 0)]), Err(vec![no_weight()]));
        let [Unclear::SeveralWeighted { groups, .. }] =
            &read(&[("a", 90), ("b", 10)]).unwrap_err()[..]
        else {
            panic!("not refused for two with weight");
        };
        assert_eq!(groups.len(), 2);
        assert_eq!(read(&[("a", 1), ("c", 0)]), Err(vec![foreign()]));
        assert_eq!(read(&[("c", 1)]), Err(vec![foreign(), no_weight()]));
    }

    type Named<'a> = &'a [(&'a str, u32)];

    fn of_two(one: Named, two: Named, retiring: &[Entry]) -> Result<Roles, Vec<Unclear>> {
        let listeners = [listener("one", one), listener("two", two)];
        roles(&listeners, &configured(&["a a2", "b b2", "c c2"]), retiring)
    }

    #[test]
    fn two_listeners_have_to_agree_on_who_serves() {
        let roles = of_two(&[("b", 1)], &[("b2", 100), ("c2", 0)], &[]).unwrap();
        assert_eq!(
            (roles.blue.name.as_str(), roles.green.name.as_str()),
            ("b", "c")
        );
        let told = |listener: &str, group: &str| (listener.to_owned(), group.to_owned());
        assert_eq!(
            of_two(&[("a", 1)], &[("b2", 1)], &[]),
            Err(vec![Unclear::Divided(told("one", "a"), told("two", "b"))])
        );
        assert_eq!(
            of_two(&[("a", 1)], &[("a2", 0)], &[]),
            Err(vec![Unclear::NoWeight("two".to_owned())])
        );
    }

    #[test]
    fn a_group_of_another_listener_is_told_from_a_stranger() {
        let unclear = of_two(&[("a", 1)], &[("b", 0), ("a2", 1)], &[]).unwrap_err();
        let misplaced = Unclear::Misplaced {
            listener: "two".to_owned(),
            group: String::new(),
            of: "one".to_owned(),
        };
        assert_eq!(unclear, [misplaced]);
    }

    #[test]
    fn what_retires_is_not_free_and_keeps_its_listeners_in_their_places() {
        let serving = |retiring: &[Entry]| of_two(&[("a", 1)], &[("a2", 1)], retiring);
        let before_the_second = retiring("b");
        assert_eq!(serving(&[before_the_second]).unwrap().green.name, "c");
        let mut of_none = retiring("b");
        of_none.plan.listeners.clear();
        assert!(serving(&[of_none]).is_ok(), "of a version that named none");
        for other in [
            vec!["two"],
            vec!["one", "three"],
            vec!["one", "two", "three"],
        ] {
            let mut elsewhere = retiring("b");
            elsewhere.plan.listeners = other.iter().map(|it| (*it).to_owned()).collect();
            let refused = serving(&[elsewhere]).unwrap_err();
            assert!(
                matches!(refused[..], [Unclear::Realigned { .. }]),
                "{refused:?}"
            );
        }
    }
}
