//! `/organizations/info`: the caller's own organization (contract section 4).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::extract::authorized::Authorized;
use crate::extract::json_body::{Body, request_body};
use crate::extract::objects::{OwnOrganization, StoredOrganization};
use crate::extract::operation::{Accepts, Operation};
use crate::extract::values::{IdSchema, MetadataSchema};
use crate::respond::ApiError;
use crate::respond::answer::{Changed, FoundOrNotModified};
use crate::respond::etag::EntityTag;
use charter_domain::id::OrganizationId;
use charter_domain::metadata::MetadataPatch;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::text::Name;
use charter_domain::timestamp;

/// `GET /organizations/info`
pub(crate) struct GetOrganization;

impl Operation for GetOrganization {
    const PERMISSION: Permission = Permission::GetOrganization;
    const HAS_ETAG: bool = true;
    const ACCEPTS: Accepts = Accepts::Signed;
    type Input = ();
    type Object = OwnOrganization;

    fn object((): &()) {}
}

/// Returns the caller's organization.
#[endpoint(operation_id = "getOrganization", tags("organizations"))]
#[boxed]
pub async fn get(
    request: Authorized<GetOrganization>,
) -> Result<FoundOrNotModified<OrganizationBody>, ApiError> {
    let organization = request.caller().organization();
    request.found(etag(organization), organization.into())
}

/// `PATCH /organizations/info`
pub(crate) struct UpdateOrganization;

impl Operation for UpdateOrganization {
    const PERMISSION: Permission = Permission::UpdateOrganization;
    const ACCEPTS: Accepts = Accepts::Signed;
    const HAS_ETAG: bool = true;
    type Input = Body<OrganizationPatch>;
    type Object = StoredOrganization;

    fn object(_: &Self::Input) {}
}

/// Changes the organization's name or metadata, as a JSON Merge Patch (RFC 7396).
#[endpoint(operation_id = "updateOrganization", tags("organizations"))]
#[boxed]
pub async fn update(
    request: Authorized<UpdateOrganization>,
) -> Result<Changed<OrganizationBody>, ApiError> {
    let Body(patch) = request.input.clone();
    let current = &request.object.0;
    let expected = request.expected_version(&etag(current), current.version)?;
    let organization = request
        .write(move |write| async move {
            let change = |organization: &mut Organization| patch.apply(organization);
            write.tenant().update_organization(expected, change).await
        })
        .await?;
    Ok(Changed(etag(&organization), (&organization).into()))
}

fn etag(organization: &Organization) -> EntityTag {
    EntityTag::new(organization.id, organization.version)
}

request_body! {
    /// Absent members stay.
    pub struct OrganizationPatch as "OrganizationPatch" {
        optional name: Name = "Acme Corporation Inc.",
        optional metadata: MetadataPatch,
    }
    const MERGE_PATCH: bool = true;
    const READ_ONLY: &'static [&'static str] =
        &["id", "slug", "is_active", "created_at", "updated_at"];
}

impl OrganizationPatch {
    fn apply(&self, organization: &mut Organization) -> Result<(), ApiError> {
        if let Some(name) = &self.name {
            organization.name = name.clone();
        }
        if let Some(patch) = &self.metadata {
            organization.metadata = organization.metadata.merged(patch)?;
        }
        Ok(())
    }
}

/// An organization.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "Organization"))]
pub(crate) struct OrganizationBody {
    /// `org-…`
    #[salvo(schema(value_type = IdSchema<OrganizationId>))]
    id: String,
    /// Its name.
    #[salvo(schema(example = "Acme Corporation"))]
    name: String,
    /// Its code: six characters that never change.
    #[salvo(schema(example = "a1b2c3"))]
    slug: String,
    /// False once it is deactivated.
    is_active: bool,
    #[salvo(schema(value_type = MetadataSchema))]
    metadata: Map<String, Value>,
    /// When it was created.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
    /// When it last changed.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    updated_at: String,
}

impl From<&Organization> for OrganizationBody {
    fn from(organization: &Organization) -> Self {
        Self {
            id: organization.id.to_string(),
            name: organization.name.as_str().to_owned(),
            slug: organization.code.to_string(),
            is_active: organization.is_active,
            metadata: organization.metadata.as_object().clone(),
            created_at: timestamp::format(organization.created_at),
            updated_at: timestamp::format(organization.updated_at),
        }
    }
}
