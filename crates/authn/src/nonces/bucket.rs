//! A bucket: the nonces of one half minute, in memory and on disk.

use std::time::Duration;

use super::half_minute::HalfMinute;
use super::journal::Journal;
use super::set::NonceSet;
use super::shared_writes::SharedWrites;

/// The nonces of the requests dated in one half minute.
pub(super) struct Bucket {
    pub(super) id: HalfMinute,
    pub(super) set: NonceSet,
    pub(super) journal: Journal,
    pub(super) writes: SharedWrites,
    /// When it may be dropped, on the monotonic clock.
    pub(super) expires: Duration,
}
