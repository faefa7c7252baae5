//! `/organizations/info`

mod conditions;
mod info_get;
mod info_patch;
mod metadata;
mod name;

use charter_domain::permission::Permission;
use test_support::service::{Service, Signer};

const INFO: &str = "/organizations/info";

/// A service account that reads and changes its organization.
async fn editor(service: &Service) -> Signer {
    let acme = service.organization("acme").await;
    let permissions = [Permission::GetOrganization, Permission::UpdateOrganization];
    acme.signer(&permissions).await
}
