//! The pools of a database.

use super::connection::Connection;
use super::presence::Presence;

pub(crate) struct Pools {
    pub(crate) reader: Connection,
    pub(crate) writer: Connection,
    /// One connection, to look what other processes have changed.
    pub(crate) feed: Connection,
    pub(crate) presence: Presence,
}
