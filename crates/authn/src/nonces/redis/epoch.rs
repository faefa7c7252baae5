//! An epoch: a period in which one server has held every nonce.

use std::sync::atomic::AtomicU64;

use parking_lot::RwLock;

use super::connection::Connection;
use crate::nonces::half_minutes::HalfMinutes;

/// An epoch and its connection.
pub(super) struct Epoch {
    pub(super) name: String,
    /// The server's life.
    pub(super) server: String,
    pub(super) connection: Connection,
    /// Half minutes whose nonces may be lost: they belong to an earlier epoch.
    pub(super) closed: HalfMinutes,
    /// Of the database that has the marks; none at first.
    pub(super) generation: AtomicU64,
    /// Half minutes that are marked, so that requests dated in them can be accepted here.
    pub(super) open: RwLock<HalfMinutes>,
}
