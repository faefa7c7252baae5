//! Creates organizations, service accounts and keys for operators' commands and the demo. Audit events name the
//! operator.

use secrecy::SecretString;

use charter_authn::signed::mint::{KeyMint, MintedKey};
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::Clock;
use charter_domain::metadata::Metadata;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::{Description, Name};
use charter_domain::timestamp::Timestamp;
use charter_store::{NewKey, NewServiceAccount, TenantWriter};

use super::StartError;

/// The audit context of operators' commands.
#[must_use]
pub fn operator(clock: &dyn Clock) -> AuditContext {
    by(Actor::Operator(None), clock)
}

/// The audit context of the service's own changes.
#[must_use]
pub fn system(clock: &dyn Clock) -> AuditContext {
    by(Actor::System, clock)
}

fn by(actor: Actor, clock: &dyn Clock) -> AuditContext {
    AuditContext {
        actor,
        request_id: None,
        policy_digest: None,
        at: clock.now(),
        precondition_failed: false,
    }
}

/// Creates a service account with direct permissions.
pub async fn service_account(
    tenant: &TenantWriter<'_>,
    account: &Account,
    name: Name,
    permissions: &[Permission],
) -> Result<ServiceAccount, StartError> {
    let new = NewServiceAccount {
        account_id: account.id,
        name,
        description: Description::default(),
        roles: Vec::new(),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        metadata: Metadata::default(),
    };
    Ok(tenant.create_service_account(new).await?)
}

/// Creates a key; its secret is returned once and cannot be read again.
pub async fn access_key(
    tenant: &TenantWriter<'_>,
    mint: &KeyMint,
    (organization, account): (&Organization, &Account),
    owner: &ServiceAccount,
    expires_at: Option<Timestamp>,
) -> Result<(AccessKey, SecretString), StartError> {
    let MintedKey { new, secret } = mint.mint(organization, account)?;
    let new = NewKey { expires_at, ..new };
    let key = tenant
        .create_key(owner.id, new, |_| Ok::<_, charter_store::Error>(()))
        .await?;
    Ok((key, secret))
}
