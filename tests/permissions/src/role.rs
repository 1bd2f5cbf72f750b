//! A role of one stack, and what it says to a request: `iam-rs` decides for each statement, so that it is known which one
//! allowed it.

use std::collections::BTreeSet;

use iam_rs::{
    Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal,
    PrincipalId,
};
use serde_json::{Value, json};

use crate::Wrong;
use crate::reference::{Named, Reference, knows};
use crate::request::Request;
use crate::template::{ACCOUNT, PARTITION, Written, list};

/// A permission of the template: where it stands, the statement's name, the action.
pub(crate) type Permission = (String, String, String);

/// A role's statements in one stack.
#[derive(Debug)]
pub(crate) struct Role(Vec<Statement>);

#[derive(Debug)]
struct Statement {
    of: String,
    sid: String,
    denies: bool,
    actions: Vec<String>,
    text: Value,
    alone: PolicyEvaluator,
}

/// What IAM says, and the permissions that a yes rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed(BTreeSet<Permission>),
    Denied,
}

impl Role {
    pub(crate) fn new(written: Vec<Written>) -> Result<Self, Wrong> {
        let statements = written.into_iter().map(Statement::new);
        Ok(Self(statements.collect::<Result<_, _>>()?))
    }

    /// Every permission that is given.
    pub(crate) fn permissions(&self) -> BTreeSet<Permission> {
        let given = self.0.iter().filter(|it| !it.denies);
        let each = given.flat_map(|it| it.actions.iter().map(|action| it.named(action)));
        each.collect()
    }

    pub(crate) fn verdict(&self, request: &Request) -> Result<Verdict, Wrong> {
        let of_iam_rs = translated(request)?;
        let mut allowing = BTreeSet::new();
        for statement in &self.0 {
            let decided = statement.alone.evaluate(&of_iam_rs);
            let decided = decided.map_err(|error| Wrong::Policy(error.to_string()))?;
            match decided.decision {
                Decision::Deny => return Ok(Verdict::Denied),
                Decision::Allow => {
                    allowing.insert(statement.named(&request.action));
                }
                Decision::NotApplicable => (),
            }
        }
        Ok(if allowing.is_empty() {
            Verdict::Denied
        } else {
            Verdict::Allowed(allowing)
        })
    }

    /// The permissions that AWS has resources for. Fails where a statement names an action, a resource or a condition key
    /// that AWS does not have.
    pub(crate) fn check(&self, reference: &Reference) -> Result<BTreeSet<Permission>, Wrong> {
        let mut sound = BTreeSet::new();
        for statement in &self.0 {
            let actions = statement.check(reference)?.into_iter();
            sound.extend(actions.map(|action| statement.named(action)));
        }
        Ok(sound)
    }
}

impl Statement {
    fn new(written: Written) -> Result<Self, Wrong> {
        let Written { of, text } = written;
        let words = |key: &str| -> Vec<String> {
            let words = list(&text[key]).into_iter();
            words
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect()
        };
        let policy = json!({ "Version": "2012-10-17", "Statement": [text] });
        Ok(Self {
            sid: text["Sid"].as_str().unwrap_or_default().to_owned(),
            denies: text["Effect"] == "Deny",
            actions: words("Action"),
            alone: PolicyEvaluator::with_policies(vec![IAMPolicy::from_json(&policy.to_string())?]),
            of,
            text,
        })
    }

    fn named(&self, action: &str) -> Permission {
        (self.of.clone(), self.sid.clone(), action.to_owned())
    }

    /// The actions that know one of the statement's resources.
    fn check(&self, reference: &Reference) -> Result<Vec<&str>, Wrong> {
        let resources = list(&self.text["Resource"]);
        let mut strange: BTreeSet<&str> = resources.iter().filter_map(Value::as_str).collect();
        let mut sound = Vec::new();
        for action in &self.actions {
            let mut types = Vec::new();
            for resource in resources.iter().filter_map(Value::as_str) {
                let of_this = reference.types_of(action, resource)?;
                if resource == "*" || !of_this.is_empty() {
                    strange.remove(resource);
                }
                types.extend(of_this);
            }
            if !types.is_empty() || resources == ["*"] {
                sound.push(action.as_str());
                self.knows_its_keys(action, &types, reference)?;
            }
        }
        match strange.first() {
            Some(resource) => Err(self.strange(resource)),
            None => Ok(sound),
        }
    }

    fn knows_its_keys(
        &self,
        action: &str,
        types: &[Named],
        reference: &Reference,
    ) -> Result<(), Wrong> {
        let mut known = reference.keys(action, types)?;
        if self.denies {
            known.insert(crate::request::SOURCE.to_owned());
        }
        let conditions = self.text["Condition"].as_object().into_iter().flatten();
        let keys = conditions.filter_map(|(_, keys)| keys.as_object());
        let mut keys = keys.flat_map(serde_json::Map::keys);
        match keys.find(|key| !knows(&known, key)) {
            Some(key) => Err(self.strange(&format!("{key} with {action}"))),
            None => Ok(()),
        }
    }

    fn strange(&self, what: &str) -> Wrong {
        Wrong::Unknown(format!("{what}, in {} of {}", self.sid, self.of))
    }
}

fn translated(request: &Request) -> Result<IAMRequest, Wrong> {
    let mut context = Context::new();
    for (key, values) in &request.context {
        context.insert(key.clone(), value(key, values));
    }
    let caller = format!("arn:{PARTITION}:sts::{ACCOUNT}:assumed-role/function/session");
    let resource = Arn::parse(&request.resource)
        .map_err(|error| Wrong::Call(format!("{}: {error}", request.resource)))?;
    let principal = Principal::Aws(PrincipalId::String(caller));
    Ok(IAMRequest::new_with_context(
        principal,
        request.action.as_str(),
        resource,
        context,
    ))
}

/// These two keys have many values, also where they have one; every other has one.
fn value(key: &str, values: &[String]) -> ContextValue {
    match values {
        [one] if !["aws:TagKeys", "dynamodb:LeadingKeys"].contains(&key) => {
            ContextValue::String(one.clone())
        }
        several => ContextValue::StringList(several.to_vec()),
    }
}
