//! Fencing, sealing and what a restart or a full disk does to them.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::sessions::tests::NoSessions;
use crate::state_file::StateFile;

fn start(path: &Path) -> Arc<Control> {
    let file = Arc::new(StateFile::new(path.into()));
    Control::start("i-1", file, Drain::new(Arc::new(NoSessions))).unwrap()
}

fn order(epoch: u64, what: What) -> Order {
    Order {
        instance: "i-1".into(),
        deployment: "spring".into(),
        epoch,
        what,
    }
}

const DRAIN: What = What::Drain {
    per_second: 5.0,
    lease: Duration::from_secs(60),
};

fn state_path() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/state.json");
    fs::create_dir(directory.path().join("state")).unwrap();
    (directory, path)
}

#[tokio::test]
async fn a_lower_epoch_is_refused_even_after_a_restart_and_an_equal_one_is_fine() {
    let (_directory, path) = state_path();
    let control = start(&path);
    control.order(order(5, DRAIN)).await.unwrap();
    control.order(order(5, What::Resume)).await.unwrap();
    assert!(matches!(
        control.order(order(4, DRAIN)).await,
        Err(Refused::StaleEpoch {
            asked: 4,
            seen: 5,
            ..
        })
    ));
    assert_eq!(control.admission().state().mode, Mode::Open);
    let again = start(&path);
    assert_eq!(again.epoch(), 5);
    let refused = again.order(order(4, DRAIN)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "epoch 4 is below 5, the highest seen here (deployment spring)"
    );
}

#[tokio::test]
async fn an_order_for_another_instance_changes_nothing() {
    let (_directory, path) = state_path();
    let control = start(&path);
    let wrong = Order {
        instance: "i-2".into(),
        ..order(9, What::Seal)
    };
    assert!(matches!(
        control.order(wrong).await,
        Err(Refused::WrongInstance { .. })
    ));
    assert_eq!(
        (control.epoch(), control.admission().state().mode),
        (0, Mode::Open)
    );
}

#[tokio::test]
async fn a_seal_needs_nothing_in_use_and_survives_a_restart() {
    let (_directory, path) = state_path();
    let control = start(&path);
    let place = control.admission().enter_request().unwrap();
    assert!(matches!(
        control.order(order(1, What::Seal)).await,
        Err(Refused::Admission(Refusal::InUse(1)))
    ));
    assert_eq!(
        control.epoch(),
        0,
        "a refused order does not take the epoch"
    );
    drop(place);
    control.order(order(1, What::Seal)).await.unwrap();
    control.order(order(1, What::Seal)).await.unwrap();
    for control in [control, start(&path)] {
        assert_eq!(control.admission().state().mode, Mode::Sealed);
        assert!(control.admission().enter_request().is_err());
        assert!(matches!(
            control.order(order(2, What::Resume)).await,
            Err(Refused::Admission(Refusal::Sealed))
        ));
        control.order(order(1, DRAIN)).await.unwrap();
        assert_eq!(control.admission().state().mode, Mode::Sealed);
    }
}

#[tokio::test]
async fn a_seal_that_certainly_was_not_written_never_happened() {
    let (directory, path) = state_path();
    let control = start(&path);
    fs::remove_dir(directory.path().join("state")).unwrap();
    assert!(matches!(
        control.order(order(1, What::Seal)).await,
        Err(Refused::NotKept(_))
    ));
    assert_eq!(control.admission().state().mode, Mode::Open);
    fs::create_dir(directory.path().join("state")).unwrap();
    control.order(order(1, What::Seal)).await.unwrap();
    assert_eq!(start(&path).admission().state().mode, Mode::Sealed);
}

#[tokio::test]
async fn a_seal_in_doubt_is_neither_acknowledged_nor_taken_back() {
    let (directory, path) = state_path();
    let control = start(&path);
    // A directory in the file's place lets everything succeed up to the rename.
    fs::create_dir(&path).unwrap();
    let failed = control.order(order(1, What::Seal)).await;
    assert!(matches!(
        failed,
        Err(Refused::NotKept(WriteFailed {
            maybe_written: true,
            ..
        }))
    ));
    assert_eq!(control.admission().state().mode, Mode::Sealing);
    assert!(control.admission().enter_request().is_err());
    assert!(control.order(order(2, What::Resume)).await.is_err());
    // A later failure that is certain does not take the doubt away.
    fs::remove_dir(&path).unwrap();
    fs::remove_dir(directory.path().join("state")).unwrap();
    assert!(control.order(order(1, What::Seal)).await.is_err());
    assert_eq!(control.admission().state().mode, Mode::Sealing);
    fs::create_dir(directory.path().join("state")).unwrap();
    control.order(order(1, What::Seal)).await.unwrap();
    assert_eq!(control.admission().state().mode, Mode::Sealed);
}

#[tokio::test]
async fn an_epoch_that_could_not_be_written_is_not_acknowledged_but_fences() {
    let (directory, path) = state_path();
    let control = start(&path);
    fs::remove_dir(directory.path().join("state")).unwrap();
    assert!(matches!(
        control.order(order(3, DRAIN)).await,
        Err(Refused::NotKept(_))
    ));
    assert_eq!(
        (control.epoch(), control.admission().state().mode),
        (0, Mode::Open)
    );
    assert!(matches!(
        control.order(order(2, DRAIN)).await,
        Err(Refused::StaleEpoch { .. })
    ));
    fs::create_dir(directory.path().join("state")).unwrap();
    control.order(order(3, DRAIN)).await.unwrap();
    assert_eq!(start(&path).epoch(), 3);
}
