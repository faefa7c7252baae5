//! Table `organizations`.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use serde_json::json;

use super::{StoredObject, Texts, stored_time};
use crate::Error;
use charter_domain::id::OrganizationId;
use charter_domain::organization::{Organization, PlanTier};
use charter_domain::text::Name;
use charter_domain::timestamp;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) code: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) contact_email: Option<String>,
    pub(crate) default_region: Option<String>,
    pub(crate) allowed_regions: Texts,
    pub(crate) plan_tier: String,
    pub(crate) monthly_doc_limit: i64,
    pub(crate) is_active: bool,
    pub(crate) deactivated_at: Option<ChronoDateTimeUtc>,
    pub(crate) metadata: StoredObject,
    pub(crate) version: i64,
    pub(crate) created_at: ChronoDateTimeUtc,
    pub(crate) updated_at: ChronoDateTimeUtc,
}

without_relations!();

impl TryFrom<Model> for Organization {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: OrganizationId::from_uuid(row.id),
            code: row
                .code
                .parse()
                .map_err(|error| Error::corrupt("organizations.code", error))?,
            slug: row.slug,
            name: Name::from_stored(row.name),
            contact_email: row.contact_email,
            default_region: row.default_region,
            allowed_regions: row.allowed_regions.0,
            plan_tier: PlanTier::parse(&row.plan_tier)
                .ok_or_else(|| Error::corrupt("organizations.plan_tier", &row.plan_tier))?,
            monthly_doc_limit: row.monthly_doc_limit,
            is_active: row.is_active,
            deactivated_at: row.deactivated_at,
            metadata: row.metadata.into(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&Organization> for ActiveModel {
    fn from(organization: &Organization) -> Self {
        Self {
            id: Set(organization.id.uuid()),
            code: Set(organization.code.as_str().to_owned()),
            created_at: Set(organization.created_at),
            ..changeable(organization)
        }
    }
}

audited!(Organization of id, |organization| json!({
    "code": organization.code.as_str(),
    "slug": organization.slug,
    "name": organization.name.as_str(),
    "contact_email": organization.contact_email,
    "default_region": organization.default_region,
    "allowed_regions": organization.allowed_regions,
    "plan_tier": organization.plan_tier.as_str(),
    "monthly_doc_limit": organization.monthly_doc_limit,
    "is_active": organization.is_active,
    "deactivated_at": organization.deactivated_at.map(|at| timestamp::format(stored_time(at))),
    "metadata": organization.metadata.as_object(),
    "version": organization.version,
}));

versioned!(Organization of id in Id:
    slug, name, contact_email, default_region, allowed_regions, plan_tier, monthly_doc_limit,
    is_active, deactivated_at, metadata
);

fn changeable(organization: &Organization) -> ActiveModel {
    ActiveModel {
        slug: Set(organization.slug.clone()),
        name: Set(organization.name.as_str().to_owned()),
        contact_email: Set(organization.contact_email.clone()),
        default_region: Set(organization.default_region.clone()),
        allowed_regions: Set(Texts(organization.allowed_regions.clone())),
        plan_tier: Set(organization.plan_tier.as_str().to_owned()),
        monthly_doc_limit: Set(organization.monthly_doc_limit),
        is_active: Set(organization.is_active),
        deactivated_at: Set(organization.deactivated_at),
        metadata: Set((&organization.metadata).into()),
        version: Set(organization.version),
        updated_at: Set(organization.updated_at),
        ..Default::default()
    }
}
