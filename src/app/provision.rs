//! Making organizations, service accounts and keys from the machine itself: for operators'
//! commands and the demo. What is made here is recorded as the operator's doing.

use secrecy::SecretString;

use charter_authn::signed::mint::KeyMint;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::audit::AuditContext;
use charter_domain::caller::Scope;
use charter_domain::clock::Clock;
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::metadata::Metadata;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::{Description, Name};
use charter_domain::timestamp::Timestamp;
use charter_store::{NewKey, NewServiceAccount, Store};

use super::StartError;

/// Who is on record for what is done on the machine itself.
#[must_use]
pub fn operator(clock: &dyn Clock) -> AuditContext {
    AuditContext {
        actor: "operator".to_owned(),
        access_key: None,
        session_guard: None,
        request_id: None,
        policy_digest: None,
        at: clock.now(),
    }
}

/// Who is on record for what the service does by itself.
#[must_use]
pub fn system(clock: &dyn Clock) -> AuditContext {
    AuditContext {
        actor: "system".to_owned(),
        ..operator(clock)
    }
}

/// Makes a service account with direct permissions.
///
/// # Errors
///
/// The store's.
pub async fn service_account(
    store: &Store,
    account: &Account,
    name: Name,
    permissions: &[Permission],
    by: &AuditContext,
) -> Result<ServiceAccount, StartError> {
    let new = NewServiceAccount {
        account_id: account.id,
        name,
        description: Description::default(),
        roles: Vec::new(),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        metadata: Metadata::default(),
    };
    let scope = Scope::of_operator(account.organization_id);
    Ok(store.within(scope).create_service_account(new, by).await?)
}

/// Makes a key; its secret is in the answer and nowhere else.
///
/// # Errors
///
/// The store's, or the secret cannot be sealed.
pub async fn access_key(
    store: &Store,
    mint: &KeyMint,
    (organization, account): (&Organization, &Account),
    owner: &ServiceAccount,
    expires_at: Option<Timestamp>,
    by: &AuditContext,
) -> Result<(AccessKey, SecretString), StartError> {
    let minted = mint.mint(organization, account)?;
    let new = NewKey {
        id: minted.id,
        access_key: minted.access_key,
        secret: minted.sealed,
        description: Description::default(),
        ip_allowlist: IpAllowlist::default(),
        expires_at,
    };
    let scope = Scope::of_operator(organization.id);
    let key = store
        .within(scope)
        .create_key(owner.id, by, new, |_| Ok::<_, charter_store::Error>(()))
        .await?;
    Ok((key, minted.secret))
}
