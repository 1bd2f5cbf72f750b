//! `report.json` and `report.html`.

use std::path::{Path, PathBuf};

use super::expectations::Expectation;
use super::observe::Observation;
use super::page;
use super::report::Report;
use crate::error::{Error, Result};

/// Where the two files are.
#[derive(Debug)]
pub(super) struct Written {
    /// The figures.
    pub(super) json: PathBuf,
    /// The page.
    pub(super) html: PathBuf,
}

/// Writes both.
///
/// # Errors
/// When the directory or a file cannot be written.
pub(super) fn write(
    directory: &Path,
    seen: &Observation,
    report: &Report,
    judged: &[Expectation],
) -> Result<Written> {
    std::fs::create_dir_all(directory).map_err(Error::io("cannot make", directory))?;
    let written = Written {
        json: directory.join("report.json"),
        html: directory.join("report.html"),
    };
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| Error::Input(format!("the report is no JSON: {error}")))?;
    std::fs::write(&written.json, json + "\n").map_err(Error::io("cannot write", &written.json))?;
    let page = page::write(seen, report, judged, jiff::Timestamp::now());
    std::fs::write(&written.html, page).map_err(Error::io("cannot write", &written.html))?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_in_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let seen = Observation::default();
        let report = super::super::report::compute(&seen);
        let written = write(directory.path(), &seen, &report, &[]).unwrap();
        assert_eq!(written.json, directory.path().join("report.json"));
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&written.json).unwrap()).unwrap();
        assert_eq!(json["busyCut"], 0);
        assert!(
            std::fs::read_to_string(&written.html)
                .unwrap()
                .contains("</html>")
        );
    }
}
