//! Organizations: the tenants.

use super::code::Code;
use super::id::OrganizationId;
use super::metadata::Metadata;
use super::text::Name;
use super::timestamp::Timestamp;

/// The plan of an organization (contract section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanTier {
    /// 100 documents a month.
    Free,
    /// 10,000 documents a month.
    Starter,
    /// 50,000 documents a month.
    Growth,
    /// 200,000 documents a month.
    Pro,
}

impl PlanTier {
    /// As in the API, the store and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Starter => "starter",
            Self::Growth => "growth",
            Self::Pro => "pro",
        }
    }

    /// Parses the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Free, Self::Starter, Self::Growth, Self::Pro]
            .into_iter()
            .find(|plan| plan.as_str() == text)
    }

    #[must_use]
    pub const fn monthly_doc_limit(self) -> i64 {
        match self {
            Self::Free => 100,
            Self::Starter => 10_000,
            Self::Growth => 50_000,
            Self::Pro => 200_000,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    pub id: OrganizationId,
    /// Never changes; the machine surface's `slug`.
    pub code: Code,
    /// The portal's slug.
    pub slug: String,
    pub name: Name,
    /// The address for billing.
    pub contact_email: Option<String>,
    /// Where new documents are stored; one of the allowed regions.
    pub default_region: Option<String>,
    /// At least one, without duplicates, in the tenant's order.
    pub allowed_regions: Vec<String>,
    pub plan_tier: PlanTier,
    pub monthly_doc_limit: i64,
    /// False once it is deactivated.
    pub is_active: bool,
    pub deactivated_at: Option<Timestamp>,
    pub metadata: Metadata,
    /// Incremented by each change; the `etag`.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
