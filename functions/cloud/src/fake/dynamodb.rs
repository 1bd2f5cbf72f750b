//! DynamoDB in the fake: the one record.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::get_item::{GetItemError, GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use ebbtide_deployment::record::Record;

use super::World;
use super::answer::{Acted, Answer, operation};

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
    Ok(GetItemOutput::builder()
        .set_item(world.record.as_ref().map(item))
        .build())
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
