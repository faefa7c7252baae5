//! `/api/portal/organization`: the user's own organization (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use crate::extract::authorized::Authorized;
use crate::extract::json_body::{Body, Nothing, request_body};
use crate::extract::objects::{OwnOrganization, StoredOrganization};
use crate::extract::operation::{Accepts, Operation};
use crate::extract::values::PortalName;
use crate::respond::answer::{Changed, FoundOrNotModified};
use crate::respond::etag::EntityTag;
use crate::respond::{ApiError, ErrorType};
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::slug::Slug;
use charter_domain::timestamp;

/// `GET /api/portal/organization`
pub(crate) struct GetOrganization;

impl Operation for GetOrganization {
    const PERMISSION: Permission = Permission::GetOrganization;
    const HAS_ETAG: bool = true;
    const ACCEPTS: Accepts = Accepts::Bearer;
    type Input = ();
    type Object = OwnOrganization;

    fn object((): &()) {}
}

/// Returns the user's organization.
#[endpoint(operation_id = "getPortalOrganization", tags("portal"))]
#[boxed]
pub async fn get(
    request: Authorized<GetOrganization>,
) -> Result<FoundOrNotModified<PortalOrganization>, ApiError> {
    let organization = request.caller().organization();
    request.found(etag(organization), organization.into())
}

/// `PUT /api/portal/organization`
pub(crate) struct UpdateOrganization;

impl Operation for UpdateOrganization {
    const PERMISSION: Permission = Permission::UpdateOrganization;
    const ACCEPTS: Accepts = Accepts::Bearer;
    const HAS_ETAG: bool = true;
    const REFUSES: &'static [ErrorType] = &[ErrorType::Conflict];
    type Input = Body<Profile>;
    type Object = StoredOrganization;

    fn object(_: &Self::Input) {}
}

/// Changes the organization's name and slug.
#[endpoint(operation_id = "updatePortalOrganization", tags("portal"))]
#[boxed]
pub async fn update(
    request: Authorized<UpdateOrganization>,
) -> Result<Changed<PortalOrganization>, ApiError> {
    let Body(Profile {
        name: PortalName(name),
        slug,
    }) = request.input.clone();
    let current = &request.object.0;
    let expected = request.expected_version(&etag(current), current.version)?;
    let organization = request
        .write(move |write| async move {
            let change = |organization: &mut Organization| {
                organization.name = name;
                slug.as_str().clone_into(&mut organization.slug);
                Ok::<_, ApiError>(())
            };
            write.tenant().update_organization(expected, change).await
        })
        .await?;
    Ok(Changed(etag(&organization), (&organization).into()))
}

/// `POST /api/portal/organization/deactivate`
pub(crate) struct DeactivateOrganization;

impl Operation for DeactivateOrganization {
    const PERMISSION: Permission = Permission::DeactivateOrganization;
    const HAS_ETAG: bool = true;
    const ACCEPTS: Accepts = Accepts::Bearer;
    type Input = Body<Nothing>;
    type Object = StoredOrganization;

    fn object(_: &Self::Input) {}

    fn only_removes(_: &Self::Input, _: &Self::Object) -> bool {
        true
    }
}

/// Deactivates the organization and revokes all access keys, refresh tokens and invitations. Reads are still
/// allowed, writes are not. Only an operator can reactivate it; the keys stay revoked.
#[endpoint(operation_id = "deactivateOrganization", tags("portal"))]
#[boxed]
pub async fn deactivate(
    request: Authorized<DeactivateOrganization>,
) -> Result<Changed<PortalOrganization>, ApiError> {
    let current = &request.object.0;
    let expected = request.expected_version(&etag(current), current.version)?;
    let organization = request
        .write(
            move |write| async move { Ok(write.tenant().deactivate_organization(expected).await?) },
        )
        .await?;
    Ok(Changed(etag(&organization), (&organization).into()))
}

pub(super) fn etag(organization: &Organization) -> EntityTag {
    EntityTag::new(organization.id, organization.version)
}

request_body! {
    /// The profile of an organization; replaces the old one.
    pub struct Profile as "OrganizationProfile" {
        required name: PortalName = "Acme Corporation Inc.",
        /// Its unique name in URLs.
        required slug: Slug,
    }
}

/// An organization.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "OrganizationResponse", rename_all = "camelCase"))]
pub(crate) struct PortalOrganization {
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1c-7def-8a12-3456789abcde"))]
    id: String,
    #[salvo(schema(example = "Acme Corporation"))]
    name: String,
    /// Its name in URLs.
    #[salvo(schema(example = "acme"))]
    slug: String,
    /// `org_` and the organization's code; never changes.
    #[salvo(schema(example = "org_a1b2c3"))]
    schema_name: String,
    /// The address for billing.
    #[salvo(schema(required = true, example = "billing@example.com"))]
    contact_email: Option<String>,
    /// The region in which new documents are stored.
    #[salvo(schema(required = true, example = "eu-central-1"))]
    default_region: Option<String>,
    /// The regions in which documents may be stored.
    #[salvo(schema(example = json!(["ca-central-1", "us-east-2", "eu-central-1"])))]
    allowed_regions: Vec<String>,
    /// `free`, `starter`, `growth` or `pro`.
    #[salvo(schema(example = "free"))]
    plan_tier: &'static str,
    /// The number of documents allowed in a month.
    #[salvo(schema(example = 100))]
    monthly_doc_limit: i64,
    /// False once it is deactivated.
    is_active: bool,
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
}

impl From<&Organization> for PortalOrganization {
    fn from(organization: &Organization) -> Self {
        Self {
            id: organization.id.uuid().to_string(),
            name: organization.name.as_str().to_owned(),
            slug: organization.slug.clone(),
            schema_name: format!("org_{}", organization.code),
            contact_email: organization.contact_email.clone(),
            default_region: organization.default_region.clone(),
            allowed_regions: organization.allowed_regions.clone(),
            plan_tier: organization.plan_tier.as_str(),
            monthly_doc_limit: organization.monthly_doc_limit,
            is_active: organization.is_active,
            created_at: timestamp::format(organization.created_at),
        }
    }
}
