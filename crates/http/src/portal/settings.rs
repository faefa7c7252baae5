//! `/api/portal/organization/settings` (contract section 5): absent fields stay, null clears; a change is atomic.

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::endpoint;

use crate::extract::authorized::Authorized;
use crate::extract::json_body::{Body, request_body};
use crate::extract::objects::StoredOrganization;
use crate::extract::operation::{Accepts, Operation};
use crate::respond::ApiError;
use crate::respond::answer::Changed;
use charter_domain::email::EmailAddress;
use charter_domain::organization::Organization;
use charter_domain::organization_settings::SettingsChange;
use charter_domain::permission::Permission;
use charter_domain::region::Region;

use super::organization::{PortalOrganization, etag};

/// `PUT /api/portal/organization/settings`
pub(crate) struct UpdateSettings;

impl Operation for UpdateSettings {
    const PERMISSION: Permission = Permission::UpdateSettings;
    const ACCEPTS: Accepts = Accepts::Bearer;
    const HAS_ETAG: bool = true;
    type Input = Body<Settings>;
    type Object = StoredOrganization;

    fn object(_: &Self::Input) {}
}

/// Changes the billing contact and the regions; absent members stay. Afterwards the default region must be
/// among the allowed ones.
#[endpoint(operation_id = "updateSettings", tags("portal"))]
#[boxed]
pub async fn update(
    request: Authorized<UpdateSettings>,
) -> Result<Changed<PortalOrganization>, ApiError> {
    let Body(settings) = request.input.clone();
    let change = SettingsChange {
        contact_email: settings.contact_email,
        default_region: settings.default_region,
        allowed_regions: settings.allowed_regions,
    };
    let current = &request.object.0;
    let expected = request.expected_version(&etag(current), current.version)?;
    let organization = request
        .write(move |write| async move {
            let apply = |organization: &mut Organization| {
                let applied = change.apply(organization);
                applied.map_err(|broken| ApiError::broken(format!("/{}", broken.field()), broken))
            };
            write.tenant().update_settings(expected, apply).await
        })
        .await?;
    Ok(Changed(etag(&organization), (&organization).into()))
}

request_body! {
    /// Absent members stay.
    pub struct Settings as "SettingsChange" {
        /// The address for billing; null clears it.
        optional contact_email: Option<EmailAddress> = "billing@example.com",
        /// The region in which new documents are stored: null, or one of the allowed regions.
        optional default_region: Option<Region> = "eu-central-1",
        /// At least one of `ca-central-1`, `us-east-2`, `eu-central-1`, without duplicates; the order is kept.
        optional allowed_regions: Vec<Region> = ["eu-central-1", "us-east-2"],
    }
}
