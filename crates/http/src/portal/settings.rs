//! `/api/portal/organization/settings` (contract section 5): absent is unchanged, null clears, all
//! or nothing.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};

use crate::extract::authorized::Authorized;
use crate::extract::fields::{Fields, Nullable};
use crate::extract::json_body::{Body, BodyInput};
use crate::extract::objects::StoredOrganization;
use crate::extract::operation::{Accepts, Operation};
use crate::respond::answer::Changed;
use crate::respond::{ApiError, Detail};
use charter_domain::organization::Organization;
use charter_domain::organization_settings::SettingsChange;
use charter_domain::permission::Permission;

use super::organization::{PortalOrganization, etag};
use super::parse;

/// `PUT /api/portal/organization/settings`
pub struct UpdateSettings;

impl Operation for UpdateSettings {
    const PERMISSION: Permission = Permission::UpdateSettings;
    const ACCEPTS: Accepts = Accepts::Bearer;
    const HAS_ETAG: bool = true;
    type Input = Body<SettingsChange>;
    type Object = StoredOrganization;

    fn object(_: &Self::Input) {}
}

/// Changes the billing contact and the regions; what is left out stays. The default region must be
/// among the allowed ones afterwards.
#[endpoint(operation_id = "updateSettings", tags("portal"))]
pub async fn update(
    request: Authorized<UpdateSettings>,
) -> Result<Changed<PortalOrganization>, ApiError> {
    let Body(change) = request.input.clone();
    let current = &request.object.0;
    let expected = request.expected_version(&etag(current), current.version)?;
    let organization = request
        .write(move |write| async move {
            let apply = |organization: &mut Organization| {
                change.apply(organization).map_err(|broken| {
                    let field = format!("/{}", broken.field());
                    ApiError::validation_failed_on_portal(vec![Detail::new(field, broken)])
                })
            };
            write.tenant().update_settings(expected, apply).await
        })
        .await?;
    Ok(Changed(etag(&organization), (&organization).into()))
}

impl BodyInput for SettingsChange {
    type Schema = SettingsBody;
    const ON_PORTAL: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            contact_email: settable(fields.nullable("contact_email", parse::email)),
            default_region: settable(fields.nullable("default_region", parse::region)),
            allowed_regions: fields.optional("allowed_regions", parse::regions),
        })
    }
}

fn settable<T>(field: Nullable<T>) -> Option<Option<T>> {
    match field {
        Nullable::Absent => None,
        Nullable::Null => Some(None),
        Nullable::Value(value) => Some(Some(value)),
    }
}

/// Settings; each may be left out.
#[derive(ToSchema)]
#[salvo(schema(name = "SettingsChange"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct SettingsBody {
    /// Whom to write to about bills; null clears it.
    #[salvo(schema(format = "email", example = "billing@example.com"))]
    contact_email: Option<String>,
    /// Where new documents go: null, or one of the allowed regions.
    #[salvo(schema(example = "eu-central-1"))]
    default_region: Option<String>,
    /// At least one of `ca-central-1`, `us-east-2`, `eu-central-1`, none twice; the order is kept.
    #[salvo(schema(nullable = false, example = json!(["eu-central-1", "us-east-2"])))]
    allowed_regions: Option<Vec<String>>,
}
