//! DynamoDB in the fake: the one record.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::get_item::{GetItemError, GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use ebbtide_rules::record::Record;

use super::World;
use super::answer::{Acted, Answer, operation};

/// An item of the table, attribute by attribute.
pub type Item = BTreeMap<String, Attribute>;

/// A value of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    S(String),
    /// A number, as text.
    N(String),
}

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    operation(world, input, "GetItem", GetItemError::generic, get_item)
}

fn get_item(world: &mut World, input: &GetItemInput) -> Acted<GetItemOutput> {
    if input.consistent_read() != Some(true) {
        return Err((
            "ValidationException",
            "the fence must be read consistently".to_owned(),
        ));
    }
    let item = match &world.item {
        Some(written) => Some(written.iter().map(typed).collect()),
        None => world.record.as_ref().map(item),
    };
    Ok(GetItemOutput::builder().set_item(item).build())
}

fn typed((name, value): (&String, &Attribute)) -> (String, AttributeValue) {
    let value = match value {
        Attribute::S(text) => AttributeValue::S(text.clone()),
        Attribute::N(number) => AttributeValue::N(number.clone()),
    };
    (name.clone(), value)
}

fn item(record: &Record) -> HashMap<String, AttributeValue> {
    let texts = [
        ("owner", &record.owner),
        ("execution", &record.execution),
        ("stage", &record.stage),
        ("blue", &record.blue),
        ("green", &record.green),
        ("plan", &record.plan),
        ("clearing", &record.clearing),
        ("rollBack", &record.roll_back),
        ("claimedAt", &record.claimed_at),
        ("waitingFor", &record.waiting_for),
    ];
    let mut item: HashMap<String, AttributeValue> = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), AttributeValue::S(text.clone()?))))
        .collect();
    item.insert(
        "epoch".to_owned(),
        AttributeValue::N(record.epoch.to_string()),
    );
    item.insert(
        "switched".to_owned(),
        AttributeValue::S(if record.switched { "yes" } else { "no" }.to_owned()),
    );
    item
}
