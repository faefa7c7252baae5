//! The tenant.

use super::code::Code;
use super::id::OrganizationId;
use super::metadata::Metadata;
use super::text::Name;
use super::timestamp::Timestamp;

/// What an organization pays for (contract section 5).
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
    /// Its text, in the API, the store and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Starter => "starter",
            Self::Growth => "growth",
            Self::Pro => "pro",
        }
    }

    /// Reads a stored text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Free, Self::Starter, Self::Growth, Self::Pro]
            .into_iter()
            .find(|plan| plan.as_str() == text)
    }

    /// Documents a month.
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

/// An organization as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Six characters that never change; the machine surface's `slug`.
    pub code: Code,
    /// The portal's URL-safe name.
    pub slug: String,
    /// Its name.
    pub name: Name,
    /// Whom to write to about bills.
    pub contact_email: Option<String>,
    /// Where new documents go; among the allowed regions.
    pub default_region: Option<String>,
    /// At least one, none twice, in the tenant's order.
    pub allowed_regions: Vec<String>,
    /// Its plan.
    pub plan_tier: PlanTier,
    /// Documents a month.
    pub monthly_doc_limit: i64,
    /// False once it is deactivated.
    pub is_active: bool,
    /// When it was deactivated.
    pub deactivated_at: Option<Timestamp>,
    /// The tenant's own notes.
    pub metadata: Metadata,
    /// Grows by one with every change; the `etag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
