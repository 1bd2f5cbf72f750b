//! A disk that fails and crashes as the checker decides.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::kept::{Keeper, Kept, Unreadable, WriteFailed};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::chance;

/// What a server keeps, and how that may fail.
#[derive(Default)]
pub struct Disk {
    step: AtomicU64,
    may_fail: bool,
    content: Mutex<Content>,
}

#[derive(Clone, Default)]
struct Content {
    durable: Option<Kept>,
    /// In place, and gone or not after a crash.
    renamed: Option<Kept>,
}

impl Disk {
    /// Three writes in ten fail, before or after their effect.
    pub fn that_may_fail() -> Arc<Self> {
        Arc::new(Self {
            may_fail: true,
            ..Self::default()
        })
    }

    /// What is there after a crash at this moment.
    pub fn after_a_crash(&self) -> Arc<Self> {
        let mut content = self
            .content
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let renamed = content.renamed.take().filter(|_| chance() < 0.5);
        content.durable = renamed.or(content.durable);
        Arc::new(Self {
            content: Mutex::new(content),
            ..Self::default()
        })
    }

    fn step(&self, maybe_written: bool) -> Result<(), WriteFailed> {
        self.step.fetch_add(1, Ordering::SeqCst);
        if self.may_fail && chance() < 0.3 {
            let error = io::Error::other("the disk is full");
            return Err(WriteFailed {
                maybe_written,
                error,
            });
        }
        Ok(())
    }
}

impl Keeper for Disk {
    fn read(&self, instance: &str) -> Result<Kept, Unreadable> {
        let durable = self
            .content
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .durable
            .clone();
        Ok(durable.unwrap_or_else(|| Kept::new(instance)))
    }

    fn write(&self, kept: &Kept) -> Result<(), WriteFailed> {
        self.step(false)?;
        self.content
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .renamed = Some(kept.clone());
        self.step(true)?;
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.durable = content.renamed.take();
        drop(content);
        self.step.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
