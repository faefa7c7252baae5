//! Organizations near their limits.

use std::cmp::Reverse;

use super::resource::Resource;
use charter_domain::id::OrganizationId;

/// Limits the number of label values of the metric.
pub(super) const MAX_NAMED: usize = 5;
/// Minimal use, in percent.
const MIN_PERCENT: u64 = 80;

/// An organization that has used most of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    pub resource: Resource,
    pub organization: OrganizationId,
    /// In the resource's unit; above `limit` if overdrawn.
    pub used: u64,
    /// In the resource's unit.
    pub limit: u64,
}

impl Near {
    /// `None` below 80 percent.
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
        (near.percent() >= MIN_PERCENT).then_some(near)
    }

    #[must_use]
    pub fn percent(&self) -> u64 {
        let percent = u128::from(self.used) * 100 / u128::from(self.limit.max(1));
        u64::try_from(percent).unwrap_or(u64::MAX)
    }
}

/// The highest percentages first, a few for each resource.
#[must_use]
pub fn nearest(mut all: Vec<Near>) -> Vec<Near> {
    all.sort_unstable_by_key(|near| (near.resource.index(), Reverse(near.percent())));
    let mut named = [0; Resource::ALL.len()];
    all.retain(|near| {
        named.get_mut(near.resource.index()).is_some_and(|count| {
            *count += 1;
            *count <= MAX_NAMED
        })
    });
    all
}
