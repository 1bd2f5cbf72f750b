//! The check as it travels: its JSON, its size, and whatever else stands in its place.

use serde_json::{Value, json};

use super::*;
use crate::arbitrary_json::{any_json, any_number};
use crate::wait;

#[test]
fn it_travels_as_the_state_machine_expects() {
    let first = check(&[held("i-0a", 2, 1), unheard("i-0b")], None, NOW);
    let json = serde_json::to_value(&first).unwrap();
    assert_eq!(json["memory"]["changedAt"], "2026-11-18T10:40:00Z");
    assert_eq!(json["outlook"]["waitSeconds"], 2);
    assert_eq!(
        json["counts"]["worst"][0],
        json!({"instance": "i-0a", "busy": 2, "idle": 1, "admission": "draining", "oldestBusySeconds": 431})
    );
    assert_eq!(
        json["counts"]["unknownServers"][0],
        json!({"instance": "i-0b", "reason": "connection refused", "since": "2026-11-18T10:40:00Z"})
    );
    assert_eq!(serde_json::from_value::<Check>(json).unwrap(), first);
}

/// The execution's document has 200 KB for all; the check is in it once, and once more in the event of its Task.
#[test]
fn five_hundred_unknown_servers_fit_into_the_document_with_the_memory_of_each() {
    let standings: Vec<_> = (0..500)
        .map(|n| {
            let reason = UnknownReason::Contradiction("asked to seal, it did not take the epoch");
            (format!("i-{n:017x}"), Standing::Unknown(reason))
        })
        .collect();
    let first = check(&standings, None, NOW);
    let mut later = check(&standings, Some(&first), after(300));
    later.outlook.waiting_for.push_str(&"x".repeat(2000));
    let json = serde_json::to_string(&later).unwrap();
    assert!(json.len() < 45_000, "{} bytes", json.len());
    assert_eq!(
        (later.counts.unknown_servers.len(), later.counts.unknown),
        (20, 500)
    );
    assert_eq!(later.memory.unknown_since.len(), 500);
    let last = later.memory.unknown_since.last_key_value().unwrap();
    assert_eq!(*last.1, NOW.as_second(), "not told, and not forgotten");
    let changed = check(&standings[1..], Some(&later), after(600));
    assert_eq!(changed.counts.unknown, 499);
    assert_eq!(changed.memory.changed_at, after(600));
}

/// The check of three servers, one of each kind.
fn any_pass(previous: Option<&Check>, now: Timestamp) -> Result<Check, CheckRefused> {
    let standings = [held("i-0a", 2, 1), unheard("i-0b"), sealed_one("i-0c")];
    let retiring = Retiring {
        listed_at: now,
        ..retiring(&standings)
    };
    conclude(&standings, &question(&retiring, previous), now)
}

/// Every place in a document, as JSON pointers.
fn places(document: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let inner: Vec<(String, &Value)> = match document {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, it)| (name.replace('~', "~0").replace('/', "~1"), it))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, it)| (at.to_string(), it))
            .collect(),
        _ => Vec::new(),
    };
    for (name, it) in inner {
        found.extend(
            places(it)
                .into_iter()
                .map(|place| format!("/{name}{place}")),
        );
    }
    found
}

/// What may stand in any place of a document: another number, another moment, anything.
fn damage() -> impl Strategy<Value = [Value; 3]> {
    let moments = [Timestamp::MIN, Timestamp::UNIX_EPOCH, NOW, Timestamp::MAX];
    let moment = prop::sample::select(moments.to_vec());
    (any_number(), moment, any_json())
        .prop_map(|(number, moment, any)| [number, json!(moment), any])
}

/// Mostly of the kind that stood there, so that the document can still be read.
fn damaged(found: &Value, [number, moment, any]: [Value; 3], kept: bool) -> Value {
    match found {
        Value::Number(_) if kept => number,
        Value::String(_) if kept => moment,
        _ => any,
    }
}

proptest! {
    /// The state machine hands a check on unread. Whatever becomes of it on the way, it is refused as no check, or the
    /// next one is made all the same, and counts and seals are those of its own servers.
    #[test]
    fn a_damaged_check_is_refused_or_changes_no_count_and_no_seal(
        damage in prop::collection::vec((any::<prop::sample::Index>(), damage(), prop::bool::weighted(0.9)), 1..4),
        second in -400_000_000_i64..400_000_000,
    ) {
        let first = any_pass(None, NOW).unwrap();
        let mut document = serde_json::to_value(any_pass(Some(&first), after(60)).unwrap()).unwrap();
        for (index, value, kept) in damage {
            let mut places = places(&document);
            if kept {
                places.retain(|place| document.pointer(place).is_some_and(|it| it.is_number() || it.is_string()));
            }
            let Some(place) = (!places.is_empty()).then(|| index.get(&places)) else {
                continue;
            };
            let found = document.pointer_mut(place).unwrap();
            *found = damaged(found, value, kept);
        }
        let Ok(damaged) = serde_json::from_value::<Check>(document) else {
            return Ok(());
        };
        if let Ok(next) = any_pass(Some(&damaged), after(second)) {
            prop_assert_eq!((next.counts.busy, next.counts.idle, next.counts.servers), (2, 1, 3));
            prop_assert_eq!(&next.sealed, &["i-0c"]);
            prop_assert!((wait::SHORTEST_SECONDS..=wait::LONGEST_SECONDS).contains(&next.outlook.wait_seconds));
            let travelled = serde_json::to_value(&next).unwrap();
            prop_assert_eq!(serde_json::from_value::<Check>(travelled).unwrap(), next);
        }
    }
}
