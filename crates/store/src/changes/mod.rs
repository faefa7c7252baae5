//! What has changed since a row was read, for those who keep rows in memory (ADR 0028).
//!
//! Own writes are known at once. Each write also leaves a row in the table `changes`, in its own
//! transaction; the follower reads those of other processes, and extends the lease under which rows
//! in memory may be used.

mod follow;
mod look;
mod versions;

use charter_domain::id::OrganizationId;

pub(crate) use versions::Versions;

/// Tells whether anything of an organization may have changed.
pub trait ChangeFeed: Send + Sync {
    /// A number that grows with every write, before the writer hears of it. Read it *before* loading a row.
    fn epoch(&self) -> u64;

    /// Whether what was read of an organization under that epoch is what the database has, give or take a
    /// second of another process. Never while the feed itself does not know: the lease has run out.
    fn is_unchanged(&self, organization: OrganizationId, since: u64) -> bool;

    /// To be called after a write within these organizations has, or may have, reached the database.
    fn advance(&self, organizations: &[OrganizationId]);

    /// The same of a write that may concern everybody.
    fn advance_all(&self);
}
