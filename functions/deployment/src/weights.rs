//! When weight may move.
