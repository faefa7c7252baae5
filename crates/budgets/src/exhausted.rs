//! A share, or a principal's part of it, that is used up.

use std::time::Duration;

use super::resource::Resource;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", .holder.sentence(), .resource.noun())]
pub struct Exhausted {
    pub resource: Resource,
    /// Whose limit it is.
    pub holder: Holder,
    /// In the resource's unit.
    pub limit: u64,
    /// When the refused amount may be used.
    pub retry_after: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Organization,
    /// One principal of it.
    Principal,
}

impl Holder {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Organization => "the organization has used up its share of ",
            Self::Principal => "the caller has used up its part of the organization's share of ",
        }
    }
}

impl Exhausted {
    pub(super) fn new(
        holder: Holder,
        resource: Resource,
        limit: u64,
        retry_after: Duration,
    ) -> Self {
        metrics::counter!("charter_budget_exhausted_total", "resource" => resource.name())
            .increment(1);
        Self {
            resource,
            holder,
            limit,
            retry_after,
        }
    }
}
