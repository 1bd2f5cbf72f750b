//! Asks and counts: the tables of [`cases`] first, then what was recorded, and at the end what nobody used.

use std::collections::{BTreeMap, BTreeSet};

use crate::Wrong;
use crate::call::{self, Call};
use crate::cases;
use crate::reference::Reference;
use crate::request::{Request, SOURCE, requests};
use crate::role::{Permission, Verdict};
use crate::stacks::Deployed;
use crate::template::Template;
use crate::untested;

/// Goes through everything that is to be asked.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    template: &'a Template,
    reference: &'a Reference,
    /// What the policies are made of, and the stack.
    stacks: BTreeMap<BTreeMap<String, String>, Deployed>,
    calls: BTreeSet<(String, String)>,
    asked: BTreeSet<(String, Request)>,
    used: BTreeSet<Permission>,
    /// Permissions that no test needs, with the reason.
    untested: BTreeMap<Permission, &'static str>,
    /// Calls whose function had ended before anybody looked, by action.
    nobodys: BTreeMap<String, usize>,
    denied: usize,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(template: &'a Template, reference: &'a Reference) -> Self {
        Self {
            template,
            reference,
            stacks: BTreeMap::new(),
            calls: BTreeSet::new(),
            asked: BTreeSet::new(),
            used: BTreeSet::new(),
            untested: BTreeMap::new(),
            nobodys: BTreeMap::new(),
            denied: 0,
        }
    }

    /// What must be denied, and what must be allowed though no test makes AWS ask for it.
    pub(crate) fn tables(&mut self) -> Result<Vec<String>, Wrong> {
        let stack = Deployed::new(self.template, cases::stack())?;
        self.names(&stack)?;
        let cases = cases::denied(&stack);
        for case in &cases {
            let allowed = as_code_asks(&stack, &case.by, case.allowed.clone());
            must_be_allowed(&stack, &case.by, &allowed)?;
            case.allowed.check(self.reference)?;
            let denied = as_code_asks(&stack, &case.denied_to, case.denied.clone());
            must_be_denied(&stack, &case.denied_to, &denied)?;
        }
        for (reason, by, request) in untested::untested() {
            request.check(self.reference)?;
            for permission in must_be_allowed(&stack, by, &request)? {
                self.untested.insert(permission, reason);
            }
        }
        let vpc = untested::code_in_a_vpc();
        for request in &vpc {
            for function in stack.functions().keys() {
                must_be_denied(
                    &stack,
                    function,
                    &as_code_asks(&stack, function, request.clone()),
                )?;
            }
        }
        let asked = cases.len() + vpc.len() * stack.functions().len();
        Ok(vec![format!(
            "{asked} calls denied, as they must be, each by the one thing that it changes"
        )])
    }

    /// Every permission is one that AWS has.
    fn names(&self, stack: &Deployed) -> Result<(), Wrong> {
        let mut lacking = BTreeSet::new();
        for role in stack.roles().values() {
            lacking.extend(role.permissions());
        }
        for role in stack.roles().values() {
            for sound in role.check(self.reference)? {
                lacking.remove(&sound);
            }
        }
        match lacking.first() {
            Some((of, sid, action)) => {
                let what = format!("a resource of {sid} in {of} for {action}");
                Err(Wrong::Unknown(what))
            }
            None => Ok(()),
        }
    }

    /// The calls of one recording.
    pub(crate) fn recording(&mut self, text: &str) -> Result<(), Wrong> {
        for (stack, call) in call::read(text)? {
            if call.function.is_empty() {
                *self.nobodys.entry(call.action).or_default() += 1;
                continue;
            }
            let made_of = stack.parameters.clone();
            if !self.stacks.contains_key(&made_of) {
                let deployed = Deployed::new(self.template, stack)?;
                self.stacks.insert(made_of.clone(), deployed);
            }
            self.call(&made_of, &call)?;
        }
        Ok(())
    }

    fn call(&mut self, stack: &BTreeMap<String, String>, call: &Call) -> Result<(), Wrong> {
        let stack = &self.stacks[stack];
        for request in requests(call, self.reference)? {
            request.check(self.reference)?;
            let request = as_code_asks(stack, &call.function, request);
            if self
                .asked
                .contains(&(call.function.clone(), request.clone()))
            {
                continue;
            }
            self.used
                .extend(must_be_allowed(stack, &call.function, &request)?);
            self.denied += denied_to_others(stack, &call.function, &request)?;
            self.asked.insert((call.function.clone(), request));
        }
        self.calls.insert((
            call.function.clone(),
            format!("{} {}", call.action, call.parameters),
        ));
        Ok(())
    }

    /// What the whole run says, when everything was allowed.
    pub(crate) fn verdict(mut self) -> Result<Vec<String>, Wrong> {
        self.invocations()?;
        let stack = Deployed::new(self.template, cases::stack())?;
        let mut written = BTreeSet::new();
        for role in stack.roles().values() {
            written.extend(role.permissions());
        }
        let unused: BTreeSet<_> = written.difference(&self.used).cloned().collect();
        let named: BTreeSet<_> = self.untested.keys().cloned().collect();
        let says = |permissions: Vec<&Permission>| {
            let each = permissions
                .into_iter()
                .map(|(of, sid, action)| format!("{of}/{sid} {action}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let (lacking, stale): (Vec<_>, Vec<_>) = (
            unused.difference(&named).collect(),
            named.difference(&unused).collect(),
        );
        if !lacking.is_empty() {
            return Err(Wrong::Unused(says(lacking)));
        }
        if !stale.is_empty() {
            return Err(Wrong::Used(says(stale)));
        }
        self.summary()
    }

    fn summary(&self) -> Result<Vec<String>, Wrong> {
        let callers: BTreeSet<&str> = self.calls.iter().map(|(by, _)| by.as_str()).collect();
        let mut lines = vec![
            format!(
                "{} distinct calls of {} callers, {} requests to IAM in {} stacks: all allowed",
                self.calls.len(),
                callers.len(),
                self.asked.len(),
                self.stacks.len()
            ),
            format!("{} of these asked for other functions: denied", self.denied),
        ];
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((of, sid, action), reason) in &self.untested {
            by_reason
                .entry(reason)
                .or_default()
                .push(format!("{of}/{sid} {action}"));
        }
        for (reason, which) in by_reason {
            lines.push(format!(
                "not asked for by any test, {reason}: {}",
                which.join(", ")
            ));
        }
        if let Some(action) = self.only_nobodys() {
            return Err(Wrong::Call(format!(
                "nobody is known to have made {action}"
            )));
        }
        let left_out: usize = self.nobodys.values().sum();
        if left_out > 0 {
            lines.push(format!(
                "{left_out} calls left out: their function had ended"
            ));
        }
        Ok(lines)
    }

    /// An action that was recorded without a caller alone.
    fn only_nobodys(&self) -> Option<&String> {
        let made: BTreeSet<&str> = self
            .calls
            .iter()
            .filter_map(|(_, call)| call.split(' ').next())
            .collect();
        self.nobodys
            .keys()
            .find(|action| !made.contains(action.as_str()))
    }

    /// The state machine calls its Tasks' functions, each in the version that the definition names.
    fn invocations(&mut self) -> Result<(), Wrong> {
        let by = "DeploymentRole";
        for stack in self.stacks.values() {
            let functions = stack.functions();
            for function in functions
                .keys()
                .filter(|it| !cases::ASKED_BY_OTHERS.contains(&it.as_str()))
            {
                let version = format!("{}:7", stack.function(function));
                let request = Request::new("lambda:InvokeFunction", version);
                request.check(self.reference)?;
                self.used.extend(must_be_allowed(stack, by, &request)?);
                self.calls.insert((by.to_owned(), function.clone()));
                self.asked.insert((by.to_owned(), request));
            }
        }
        Ok(())
    }
}

/// As Lambda passes it on: with the function whose code it comes from.
fn as_code_asks(stack: &Deployed, by: &str, request: Request) -> Request {
    let name = by
        .strip_prefix(&format!("{}-", stack.stack.name))
        .unwrap_or(by);
    if stack.functions().contains_key(name) {
        request.with(SOURCE, &[&stack.function(name)])
    } else {
        request
    }
}

fn must_be_allowed(
    stack: &Deployed,
    by: &str,
    asked: &Request,
) -> Result<BTreeSet<Permission>, Wrong> {
    match stack.role(by)?.verdict(asked)? {
        Verdict::Allowed(by_these) => Ok(by_these),
        Verdict::Denied => Err(Wrong::NotAllowed(by.to_owned(), format!("{asked:?}"))),
    }
}

fn must_be_denied(stack: &Deployed, by: &str, asked: &Request) -> Result<(), Wrong> {
    match stack.role(by)?.verdict(asked)? {
        Verdict::Denied => Ok(()),
        Verdict::Allowed(by_these) => Err(Wrong::NotDenied(
            format!("{by}: {asked:?}"),
            format!("{by_these:?}"),
        )),
    }
}

/// What changes something is one function's alone: every role but those of the functions whose work it is denies it.
fn denied_to_others(stack: &Deployed, by: &str, asked: &Request) -> Result<usize, Wrong> {
    let may = cases::whose(&asked.action);
    if may.is_empty() {
        return Ok(0);
    }
    let function = by
        .strip_prefix(&format!("{}-", stack.stack.name))
        .unwrap_or(by);
    if !may.contains(&function) {
        return Err(Wrong::NotDenied(
            by.to_owned(),
            format!("{} is not its work", asked.action),
        ));
    }
    let others = stack
        .functions()
        .keys()
        .filter(|it| !may.contains(&it.as_str()));
    let mut denied = 0;
    for other in others {
        must_be_denied(stack, other, asked)?;
        denied += 1;
    }
    Ok(denied)
}
