//! Sequences that once broke a rule, kept: each file of `sequences/` is a case as the properties tell it.
//!
//! Most were found with a rule of the shipped code broken on purpose; the file's name says which. They are short, and
//! walk where that rule is needed.

use std::fs;
use std::path::Path;

use crate::event::Case;
use crate::properties::outcome;

#[test]
fn no_kept_sequence_breaks_a_rule() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sequences");
    let files = fs::read_dir(directory).expect("the sequences");
    let mut count = 0;
    for file in files {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a readable file");
        let case: Case = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if let Err((broken, story)) = outcome(&case, true) {
            panic!("{}: {broken}\n{}", path.display(), story.join("\n"));
        }
        count += 1;
    }
    assert!(count > 0, "no sequence is kept");
}
