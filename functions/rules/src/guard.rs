//! What a stack may lose while deployments are not over: the guard of its settings, and of itself.
//!
//! An execution keeps the settings that it began with, and roles do not: an update that takes a listener, a group or the
//! service's name away would leave a deployment without the permission to finish, and a deletion without anybody who
//! finishes it. Called by `guard-stack`, which CloudFormation asks before it changes anything else.

use crate::record::Record;
use crate::shape::{Environment, group_name};

/// The settings that deployments in flight rest on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guarded {
    /// The service: the key of its record.
    pub service: String,
    /// The listeners and rules, by ARN.
    pub listeners: Vec<String>,
    /// The target groups, by ARN.
    pub target_groups: Vec<String>,
    /// The Auto Scaling groups, by name.
    pub scaling_groups: Vec<String>,
    /// The one launch template that the roles may launch from; none where those of the service's tag are allowed.
    pub launch_template: Option<String>,
}

/// Why the stack may not be changed now; nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Deleted is when the stack is to go while there is work that only it does.
    #[error(
        "{0}, and without this stack nobody moves weights back or ends the servers: let every deployment end (docs/operating.md, \
         \"Uninstalling Ebbtide\"), then delete the stack again"
    )]
    Deleted(String),
    /// Renamed is when another record would be kept from now on.
    #[error(
        "{holds}, and under the name {to} the stack would know nothing of it: keep ServiceName {from} until every deployment has \
         ended"
    )]
    Renamed {
        /// What is not over.
        holds: String,
        /// The service's name.
        from: String,
        /// What it would be.
        to: String,
    },
    /// Taken is when something goes that a deployment needs until it ends.
    #[error(
        "{holds}, and needs what this update takes away: {}; name it until every deployment has ended", .lacking.join(", ")
    )]
    Taken {
        /// What is not over.
        holds: String,
        /// The listeners by ARN, the groups by name, the launch template by id.
        lacking: Vec<String>,
    },
}

/// Whether the stack may be deleted.
///
/// # Errors
/// [`Refusal::Deleted`].
pub fn deletion(record: &Record) -> Result<(), Refusal> {
    holds(record).map_or(Ok(()), |holds| Err(Refusal::Deleted(holds)))
}

/// Whether these settings may take the place of those that the record's deployments began with.
///
/// # Errors
/// [`Refusal::Renamed`] or [`Refusal::Taken`].
pub fn update(record: &Record, was: &Guarded, is: &Guarded) -> Result<(), Refusal> {
    let Some(holds) = holds(record) else {
        return Ok(());
    };
    if was.service != is.service {
        return Err(Refusal::Renamed {
            holds,
            from: was.service.clone(),
            to: is.service.clone(),
        });
    }
    let listeners = listeners(record).filter(|it| !is.listeners.contains(it));
    let environments = environments(record);
    let groups = environments.iter().flat_map(|it| &it.target_group_arns);
    let groups = groups.filter(|it| !is.target_groups.contains(it));
    let scaling = environments
        .iter()
        .filter_map(|it| it.auto_scaling_group.as_ref());
    let scaling = scaling.filter(|it| !is.scaling_groups.contains(it));
    let mut lacking: Vec<String> = listeners.chain(scaling).cloned().collect();
    lacking.extend(groups.map(|arn| group_name(arn).to_owned()));
    // The front launches from it, and gives a group the version of before.
    let template = record
        .front
        .iter()
        .map(|it| &it.plan.green.launch_template_id);
    let template = template.filter(|id| is.launch_template.as_ref().is_some_and(|it| it != *id));
    lacking.extend(template.cloned());
    lacking.sort();
    lacking.dedup();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Refusal::Taken { holds, lacking })
}

/// Who has work left, in words; none where nobody has.
fn holds(record: &Record) -> Option<String> {
    let front = record.front.iter().map(|front| {
        let (deployment, phase) = (&front.owner.deployment, front.phase.word());
        format!("deployment {deployment} holds the front ({phase})")
    });
    let retiring = record.retiring.iter().map(|entry| {
        let (environment, owner) = (&entry.environment.name, &entry.owner.deployment);
        format!("{environment} retires for deployment {owner}")
    });
    let all: Vec<String> = front.chain(retiring).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn listeners(record: &Record) -> impl Iterator<Item = &String> {
    let front = record.front.iter().map(|front| &front.plan);
    let plans = front.chain(record.retiring.iter().map(|entry| &entry.plan));
    plans.flat_map(|plan| &plan.listeners)
}

/// The front's pair and whatever retires. The others are free: nobody needs their groups.
fn environments(record: &Record) -> Vec<&Environment> {
    let front = record.front.iter();
    let pairs = front.flat_map(|it| [&it.plan.blue.environment, &it.plan.green.environment]);
    pairs
        .chain(record.retiring.iter().map(|entry| &entry.environment))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;
    use crate::record::Phase;

    const LISTENER: &str = "arn:listener";

    fn environment(letter: &str) -> Environment {
        Environment::of(vec![format!("arn:/tunnel-{letter}")])
    }

    /// `deploy-1` goes from `a` to `b`, and `c` retires for `deploy-0`.
    fn busy() -> Record {
        let plan = examples::recorded(&environment("a"), &environment("b"), &[environment("c")]);
        let front = examples::front(plan.clone(), Phase::Switched);
        let entry = examples::entry(&environment("c"), examples::another(), plan);
        examples::record(Some(front), vec![entry])
    }

    fn settings(service: &str, listeners: &[&str], letters: &[&str]) -> Guarded {
        Guarded {
            service: service.to_owned(),
            listeners: listeners.iter().map(|it| (*it).to_owned()).collect(),
            target_groups: letters
                .iter()
                .map(|it| format!("arn:/tunnel-{it}"))
                .collect(),
            scaling_groups: Vec::new(),
            launch_template: None,
        }
    }

    fn was() -> Guarded {
        settings("tunnel", &[LISTENER], &["a", "b", "c", "d"])
    }

    #[test]
    fn a_stack_goes_when_nobody_has_work_left() {
        assert_eq!(deletion(&Record::default()), Ok(()));
        let told = deletion(&busy()).unwrap_err().to_string();
        let who = "deployment deploy-1 holds the front (switched), tunnel-c retires for deployment deploy-0, and without";
        assert!(told.starts_with(who), "{told}");
        let mut drains = busy();
        drains.front = None;
        assert!(deletion(&drains).is_err());
    }

    #[test]
    fn what_no_deployment_needs_may_go_and_anything_may_come() {
        for is in [
            was(),
            settings("tunnel", &[LISTENER], &["a", "b", "c"]),
            settings("tunnel", &["arn:other", LISTENER], &["e", "c", "b", "a"]),
        ] {
            assert_eq!(update(&busy(), &was(), &is), Ok(()), "{is:?}");
        }
        let another = settings("chat", &["arn:other"], &["x", "y"]);
        assert_eq!(update(&Record::default(), &was(), &another), Ok(()));
    }

    #[test]
    fn what_a_deployment_needs_stays() {
        let lacking = |is: &Guarded| match update(&busy(), &was(), is) {
            Err(Refusal::Taken { lacking, .. }) => lacking,
            other => panic!("{other:?}"),
        };
        for gone in ["a", "b", "c"] {
            let letters: Vec<&str> = ["a", "b", "c"]
                .into_iter()
                .filter(|it| *it != gone)
                .collect();
            let is = settings("tunnel", &[LISTENER], &letters);
            assert_eq!(lacking(&is), [format!("tunnel-{gone}")]);
        }
        let is = settings("tunnel", &["arn:other"], &["a", "b", "c"]);
        assert_eq!(lacking(&is), [LISTENER]);
        let id = busy().front.unwrap().plan.green.launch_template_id;
        let launching = |template: &str| Guarded {
            launch_template: Some(template.to_owned()),
            ..was()
        };
        assert_eq!(update(&busy(), &was(), &launching(&id)), Ok(()));
        assert_eq!(lacking(&launching("lt-other")), [id]);
    }

    #[test]
    fn a_group_that_drains_stays_and_what_only_drains_launches_nothing() {
        let mut drains = busy();
        drains.front = None;
        drains.retiring[0].environment.auto_scaling_group = Some("fleet-c".to_owned());
        let with = |groups: &[&str]| Guarded {
            scaling_groups: groups.iter().map(|it| (*it).to_owned()).collect(),
            launch_template: Some("lt-other".to_owned()),
            ..was()
        };
        let taken = update(&drains, &was(), &with(&["fleet-a"])).unwrap_err();
        assert!(taken.to_string().contains("takes away: fleet-c"), "{taken}");
        assert_eq!(update(&drains, &was(), &with(&["fleet-c"])), Ok(()));
    }

    #[test]
    fn another_name_would_be_another_record() {
        let is = Guarded {
            service: "chat".to_owned(),
            ..was()
        };
        let told = update(&busy(), &was(), &is).unwrap_err().to_string();
        assert!(told.contains("under the name chat"), "{told}");
        assert!(told.contains("keep ServiceName tunnel"), "{told}");
    }
}
