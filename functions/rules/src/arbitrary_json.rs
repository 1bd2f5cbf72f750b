//! JSON of every kind, for the properties of what reads it: nested, and with the words and numbers that readers stumble
//! over.

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

/// Numbers at the borders of what a reader may take for a count.
pub(crate) fn any_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_u64..700_000).prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(json!(0.5), Value::Number)),
        prop::sample::select(vec![
            json!(-1),
            json!(0),
            json!(-0.0),
            json!(1.0),
            json!(0.1),
            json!(100),
            json!(u32::MAX),
            json!(u64::from(u32::MAX) + 1),
            json!(1_u64 << 53),
            json!(u64::MAX),
            json!(1e20),
            json!(f64::MAX),
        ]),
    ]
}

/// Text of any characters, and what JSONata, a shell, JSON or a header would read as more than text.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let words = [
        "",
        "$Latest",
        "$states.input",
        "{% $states.input %}",
        "${Service}",
        "\u{feff}busy",
        "\u{202e}",
        "\0",
        "äöü🦀",
        "\r\nX-Header: 1",
        "100",
        "true",
        "null",
        "../..",
    ];
    prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        any::<String>(),
        ".{0,300}",
    ]
}

/// Any JSON at all.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any_number(),
        any_text().prop_map(Value::String),
        (1_usize..100).prop_map(nested),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any_text(), inner), 0..6)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// Lists within lists, as many as that.
pub(crate) fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(0), |inner, _| json!([inner]))
}
