//! Who is near its share.

use std::cmp::Reverse;

use super::resource::Resource;
use charter_domain::id::OrganizationId;

/// The most organizations named for one resource, so that a metric's labels stay few.
pub(super) const MOST_NAMED: usize = 5;
/// From how much of a share on, in percent.
const FROM: u64 = 80;

/// An organization that has used most of its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    /// What of.
    pub resource: Resource,
    /// Who.
    pub organization: OrganizationId,
    /// In the resource's unit; above `limit` if it was overdrawn.
    pub used: u64,
    /// Its share, in the resource's unit.
    pub limit: u64,
}

impl Near {
    /// `None` below four fifths of the share.
    #[must_use]
    pub fn of(
        resource: Resource,
        organization: OrganizationId,
        used: u64,
        limit: u64,
    ) -> Option<Self> {
        let near = Self {
            resource,
            organization,
            used,
            limit,
        };
        (near.percent() >= FROM).then_some(near)
    }

    /// How much of the share is used, in percent.
    #[must_use]
    pub fn percent(&self) -> u64 {
        let percent = u128::from(self.used) * 100 / u128::from(self.limit.max(1));
        u64::try_from(percent).unwrap_or(u64::MAX)
    }
}

/// The nearest first, a few of each resource.
#[must_use]
pub fn nearest(mut all: Vec<Near>) -> Vec<Near> {
    all.sort_unstable_by_key(|near| (near.resource.index(), Reverse(near.percent())));
    let mut named = [0; Resource::ALL.len()];
    all.retain(|near| {
        named.get_mut(near.resource.index()).is_some_and(|count| {
            *count += 1;
            *count <= MOST_NAMED
        })
    });
    all
}
