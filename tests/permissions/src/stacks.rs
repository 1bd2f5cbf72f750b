//! The roles of every stack that was deployed, made once for each.

use std::collections::BTreeMap;

use crate::Wrong;
use crate::role::Role;
use crate::template::{Stack, Template, arn};

/// One deployed stack.
#[derive(Debug)]
pub(crate) struct Deployed {
    pub(crate) stack: Stack,
    /// Each function's role, by the function's name without the stack's.
    functions: BTreeMap<String, String>,
    roles: BTreeMap<String, Role>,
}

impl Deployed {
    pub(crate) fn new(template: &Template, stack: Stack) -> Result<Self, Wrong> {
        let roles = template.roles().map(|role| {
            let statements = template.statements(role, &stack)?;
            Ok((role.to_owned(), Role::new(statements)?))
        });
        Ok(Self {
            roles: roles.collect::<Result<_, Wrong>>()?,
            functions: template.functions()?,
            stack,
        })
    }

    /// A role by its logical id, or that of a function by the function's name, with or without the stack's.
    pub(crate) fn role(&self, of: &str) -> Result<&Role, Wrong> {
        let function = of
            .strip_prefix(&format!("{}-", self.stack.name))
            .unwrap_or(of);
        let id = self.functions.get(function).map_or(of, String::as_str);
        let found = self.roles.get(id);
        found.ok_or_else(|| Wrong::Template(format!("{of} has no role")))
    }

    pub(crate) fn roles(&self) -> &BTreeMap<String, Role> {
        &self.roles
    }

    pub(crate) fn functions(&self) -> &BTreeMap<String, String> {
        &self.functions
    }

    /// The ARN of a function of this stack.
    pub(crate) fn function(&self, name: &str) -> String {
        arn("lambda", &format!("function:{}-{name}", self.stack.name))
    }
}
