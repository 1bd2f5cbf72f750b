//! docs/console.md: every input that people are told to paste is one that is taken, and every wish is among them.
#![expect(clippy::unwrap_used, reason = "a test's own functions may fail it")]

use ebbtide_rules::input::{Input, Request, Then, Verb};

/// The inputs of the page, as they are read.
fn pasted() -> Vec<Input> {
    let path = format!("{}/../../docs/console.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(path).unwrap();
    let blocks = page.split("\n```json\n").skip(1);
    let texts = blocks.map(|block| block.split("\n```").next().unwrap());
    let read = |text: &str| Input::parse(&serde_json::from_str(text).unwrap()).unwrap();
    texts.map(read).collect()
}

#[test]
fn the_page_has_an_input_for_each_thing_that_one_can_ask_for() {
    let pasted = pasted();
    for verb in Verb::ALL {
        let wished =
            |input: &Input| matches!(&input.request, Request::Wish(wish) if wish.verb == verb);
        assert!(pasted.iter().any(wished), "none for {}", verb.field());
    }
    for then in [Then::Continue, Then::RollBack] {
        let taken =
            |input: &Input| matches!(&input.request, Request::TakeOver(it) if it.then == then);
        assert!(pasted.iter().any(taken), "none to take over: {then:?}");
    }
    assert!(pasted.contains(&Input::default()), "not the plain one");
    assert!(pasted.iter().any(|input| input.dry_run), "no dry run");
    assert!(pasted.iter().any(|input| input.steps.is_some()));
    assert!(pasted.iter().any(|input| input.approve.is_some()));
}
