//! Values that many states share, each kept once: a state carries a number instead.
//!
//! A record and a document are those of the shipped rules, with all their fields; two that are equal have one number, so
//! comparing states is comparing numbers.
//!
//! Exploring is mostly looking values up, so each carries its value with it, and its JSON form, by which it is known, is
//! written into a buffer that is used again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{LazyLock, RwLock};

use ebbtide_rules::document::Document;
use ebbtide_rules::record::{Answer, Record};
use serde::Serialize;

/// A kept value, known by its number.
pub struct Id<T: 'static>(u32, &'static T);

/// Every kept value of a kind. What is kept is never dropped: the checker ends first.
pub struct Store<T: 'static> {
    values: RwLock<HashMap<Box<[u8]>, Id<T>>>,
}

/// What can be kept.
pub trait Keep: Serialize + Sized + 'static {
    /// Where.
    fn store() -> &'static Store<Self>;

    /// Keeps it, and says under which number.
    fn keep(self) -> Id<Self> {
        Self::store().keep(self)
    }
}

macro_rules! kept {
    ($($kind:ty),*) => {
        $(impl Keep for $kind {
            fn store() -> &'static Store<Self> {
                static STORE: LazyLock<Store<$kind>> = LazyLock::new(Store::default);
                &STORE
            }
        })*
    };
}

kept!(Record, Document, Answer, String);

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self {
            values: RwLock::default(),
        }
    }
}

thread_local! {
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<T: Serialize> Store<T> {
    fn keep(&self, value: T) -> Id<T> {
        WRITTEN.with_borrow_mut(|written| {
            written.clear();
            if serde_json::to_writer(&mut *written, &value).is_err() {
                unreachable!("everything kept has a JSON form");
            }
            if let Some(kept) = read(&self.values).get(written.as_slice()) {
                return *kept;
            }
            let mut values = write(&self.values);
            let number = u32::try_from(values.len()).unwrap_or(u32::MAX);
            *values
                .entry(written.as_slice().into())
                .or_insert_with(|| Id(number, Box::leak(Box::new(value))))
        })
    }
}

impl<T> Id<T> {
    /// The value.
    pub fn get(self) -> &'static T {
        self.1
    }
}

/// What was computed before, by what it was computed from.
pub struct Memo<K, V>(RwLock<HashMap<K, V, BuildHasherDefault<Quick>>>);

/// A quick hash of small numbers: the keys are no adversary's.
#[derive(Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }
    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// The value for `key`, computed at the first time.
    pub fn of(&self, key: K, compute: impl FnOnce() -> V) -> V {
        if let Some(value) = read(&self.0).get(&key) {
            return value.clone();
        }
        let value = compute();
        write(&self.0).insert(key, value.clone());
        value
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
