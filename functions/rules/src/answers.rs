//! What every function answers, as examples of every word and every kind.
//!
//! Kept as `tests/definition/answers.snap`, from which the walks over the definition draw: each list has an entry here,
//! and each option is once given and once not, so that the walks know what it is made of. Accept a difference with
//! `INSTA_UPDATE=always cargo test -p ebbtide-rules --lib answers` after reading it.

mod kinds;
mod words;

use serde_json::{Map, Value, json};

use crate::document::{Act, Document, Failure};
use crate::examples::answer;
use crate::input::Input;
use crate::record::{Answer, Doing, LATE_SECONDS, Next};

/// Every act, in the order of a deployment.
const ACTS: [Act; 24] = [
    Act::Adopt,
    Act::TestBlue,
    Act::AskBlue,
    Act::Claim,
    Act::Attach,
    Act::Launch,
    Act::TestGreen,
    Act::AskGreen,
    Act::Switch,
    Act::EndUnserved,
    Act::LetGo,
    Act::Detach,
    Act::Release,
    Act::Hold,
    Act::ResumeAgain,
    Act::Weigh,
    Act::AskService,
    Act::Drain,
    Act::Check,
    Act::Pass,
    Act::EndSealed,
    Act::Resume,
    Act::WeighBack,
    Act::HandOn,
];

/// Documents that have one answer each, at that key.
macro_rules! at {
    ($key:ident, $answers:expr) => {
        $answers
            .into_iter()
            .map(|answer| Document {
                $key: Some(answer),
                ..Document::default()
            })
            .collect()
    };
}

/// What a Task may be answered, each in a document that has it where the functions look for it.
fn answers(act: Act) -> Vec<Document> {
    match act {
        Act::Claim => at!(record, words::claim().into_iter().map(record)),
        Act::Adopt => at!(record, words::adopt().into_iter().map(record)),
        Act::Switch => at!(record, words::switch().into_iter().map(record)),
        Act::Pass => at!(record, words::pass().into_iter().map(record)),
        Act::HandOn => at!(record, words::hand_on().into_iter().map(record)),
        Act::Release => at!(record, words::release().into_iter().map(record)),
        Act::TestBlue => at!(blue_test, kinds::tests()),
        Act::TestGreen => at!(test, kinds::tests()),
        Act::AskBlue => at!(blue_service, kinds::services()),
        Act::AskGreen => at!(green_service, kinds::services()),
        Act::AskService => at!(service, kinds::services()),
        Act::Launch => at!(green, kinds::launches()),
        Act::Attach => at!(attach, kinds::switches()),
        Act::Weigh => at!(switch, kinds::switches()),
        Act::WeighBack => at!(back, kinds::switches()),
        Act::Detach => at!(detached, kinds::switches()),
        Act::Hold => at!(retiring, kinds::lists()),
        Act::LetGo => at!(held, kinds::lists()),
        Act::Drain => at!(drain, kinds::drains()),
        Act::Check => at!(check, kinds::checks()),
        Act::Resume | Act::ResumeAgain => at!(resume, kinds::resumptions()),
        Act::EndUnserved => at!(rejected, kinds::ends()),
        Act::EndSealed => at!(terminate, kinds::ends()),
    }
}

fn record((next, doing): (Next, Doing)) -> Answer {
    let waits = matches!(
        next,
        Next::Wait | Next::WaitOut | Next::Return | Next::Detach
    );
    Answer {
        next,
        wait_seconds: u64::from(waits) * LATE_SECONDS.unsigned_abs(),
        ..answer(doing)
    }
}

/// What PlanDeployment answers.
fn plans() -> Vec<Document> {
    at!(plan, kinds::plans())
}

/// What a Catch keeps of a failure.
fn caught() -> Vec<Document> {
    let failure = |error: &str| {
        Some(Failure {
            error: error.to_owned(),
            cause: json!({"errorType": error, "errorMessage": "i-1: \"no\""}).to_string(),
        })
    };
    vec![
        Document {
            rejection: failure("GreenUnfit"),
            ..Document::default()
        },
        Document {
            ill: failure("GreenUnhealthy"),
            ..Document::default()
        },
    ]
}

/// Documents as another execution hands them on.
fn handed_on() -> Vec<Document> {
    let full = Document {
        requested: json!({}),
        attach: kinds::switches().pop(),
        switch: kinds::switches().pop(),
        check: kinds::checks().pop(),
        terminate: kinds::ends().pop(),
        resume: kinds::resumptions().pop(),
        back: kinds::switches().pop(),
        ..plans().swap_remove(0)
    };
    let bare = plans().swap_remove(0);
    let goes_on = answer(words::draining());
    vec![full.handed_on(&goes_on), bare.handed_on(&goes_on)]
}

/// Inputs of a new execution.
fn inputs() -> Vec<Value> {
    let inputs = vec![
        json!({}),
        json!({"dryRun": true}),
        json!({
            "green": {"launchTemplateVersion": "$Latest", "count": 3},
            "traffic": {"steps": [50, 100], "stepSeconds": 60},
            "bake": {"seconds": 60, "alarms": ["errors"]},
            "drain": {"detached": true},
        }),
        json!({"takeOver": {"deployment": "deploy-0", "then": "rollBack"}}),
        json!({"rollBack": "deploy-0"}),
        json!({"promote": "deploy-0", "who": "on-call", "why": "a hotfix", "force": true}),
        json!({"approve": ["switch", "seal"], "pauseSeconds": 3600}),
    ];
    for input in &inputs {
        assert!(Input::parse(input).is_ok(), "{:?}", Input::parse(input));
    }
    inputs
}

/// A document without what it does not have, as the definition makes it.
fn as_the_definition_has_it(document: &Document) -> Value {
    let mut document = serde_json::to_value(document).unwrap();
    let keys = document.as_object_mut().unwrap();
    keys.retain(|_, value| !value.is_null());
    document
}

/// One example a line.
fn lines(examples: &[Value]) -> String {
    let lines: Vec<String> = examples.iter().map(Value::to_string).collect();
    format!("[\n{}\n]", lines.join(",\n"))
}

#[test]
fn the_walks_draw_from_what_the_functions_answer() {
    let mut told: Map<String, Value> = Map::new();
    let mut tell = |name: &str, documents: Vec<Document>| {
        let shown = documents.iter().map(as_the_definition_has_it).collect();
        told.insert(name.to_owned(), Value::Array(shown));
    };
    tell("plan", plans());
    for act in ACTS {
        let name = serde_json::to_value(act).unwrap();
        tell(name.as_str().unwrap(), answers(act));
    }
    tell("caught", caught());
    told.insert("handedOn".to_owned(), json!(handed_on()));
    told.insert("inputs".to_owned(), Value::Array(inputs()));
    let told: Vec<String> = told
        .iter()
        .map(|(name, examples)| format!("\"{name}\": {}", lines(examples.as_array().unwrap())))
        .collect();
    insta::with_settings!({
        snapshot_path => "../../../tests/definition",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("answers", format!("{{\n{}\n}}", told.join(",\n")));
    });
}
