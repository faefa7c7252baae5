//! The clients of the tests.

use std::net::SocketAddr;

use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::metadata::Metadata;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::text::{Description, Name};
use charter_domain::timestamp::Timestamp;
use charter_store::{NewKey, NewServiceAccount};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Request, Service, Signature};
use crate::stored_tenant::StoredTenant;

/// A client that sends requests.
pub trait Persona {
    fn ask(&self, method: &str, target: &str) -> Request;

    fn get(&self, target: &str) -> Request {
        self.ask("GET", target)
    }

    fn post(&self, target: &str, body: Value) -> Request {
        self.ask("POST", target).json(&body)
    }

    fn patch(&self, target: &str, body: Value) -> Request {
        self.ask("PATCH", target).json(&body)
    }

    fn delete(&self, target: &str) -> Request {
        self.ask("DELETE", target)
    }
}

/// A client without credentials.
pub struct Anonymous(pub(super) SocketAddr);

impl Anonymous {
    /// A client of this address.
    pub const fn at(address: SocketAddr) -> Self {
        Self(address)
    }

    pub const fn address(&self) -> SocketAddr {
        self.0
    }
}

impl Persona for Anonymous {
    fn ask(&self, method: &str, target: &str) -> Request {
        Request::new(self.0, None, method, target)
    }
}

/// A service account with one of its keys.
#[derive(Clone)]
pub struct Signer {
    /// `sa-…`
    pub id: String,
    /// `key-…`
    pub key_id: String,
    pub signature: Signature,
    pub(super) address: SocketAddr,
}

impl Persona for Signer {
    fn ask(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, Some(self.signature.clone()), method, target)
    }
}

impl Signer {
    /// Its resource path.
    pub fn path(&self) -> String {
        format!("/service-accounts/{}", self.id)
    }

    /// The path of its keys.
    pub fn keys(&self) -> String {
        format!("/service-accounts/{}/keys", self.id)
    }

    /// The path of its key.
    pub fn key(&self) -> String {
        format!("/service-accounts/{}/keys/{}", self.id, self.key_id)
    }
}

/// The grants of a signer.
#[derive(Default)]
pub struct Grants<'a> {
    pub roles: &'a [&'a str],
    pub permissions: &'a [Permission],
    pub ip_allowlist: &'a [&'a str],
    pub expires_at: Option<Timestamp>,
}

/// An organization created by the operator.
pub struct Tenant<'a> {
    pub service: &'a Service,
    pub organization: Organization,
    /// The default account.
    pub account: Account,
}

impl Tenant<'_> {
    pub fn stored(&self) -> StoredTenant<'_> {
        StoredTenant::of(self.service.store(), &self.organization)
    }

    /// A service account with these permissions and a key.
    pub async fn signer(&self, permissions: &[Permission]) -> Signer {
        self.signer_with(Grants {
            permissions,
            ..Grants::default()
        })
        .await
    }

    /// A service account with all permissions of the machine surface.
    pub async fn manager(&self) -> Signer {
        self.signer(&everything()).await
    }

    pub async fn signer_with(&self, grants: Grants<'_>) -> Signer {
        self.signer_in(&self.account, grants).await
    }

    /// In an account other than the default one.
    pub async fn signer_in(&self, account: &Account, grants: Grants<'_>) -> Signer {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let new = NewServiceAccount {
            account_id: account.id,
            name: Name::parse("Signer").expect("a name"),
            description: Description::default(),
            roles: texts(grants.roles),
            permissions: grants.permissions.iter().map(ToString::to_string).collect(),
            metadata: Metadata::default(),
        };
        let by = self.service.operator();
        let made = self.stored().by(&by).create_service_account(new).await;
        let service_account = made.expect("a service account");
        let mint = &self.service.state().mint;
        let minted = mint.mint(&self.organization, account).expect("a key");
        let new = NewKey {
            ip_allowlist: IpAllowlist::parse(grants.ip_allowlist).expect("an allowlist"),
            expires_at: grants.expires_at,
            ..minted.new
        };
        let key: AccessKey = self
            .stored()
            .by(&by)
            .create_key(service_account.id, new, |_| {
                Ok::<_, charter_store::Error>(())
            })
            .await
            .expect("a stored key");
        Signer {
            id: service_account.id.to_string(),
            key_id: key.id.to_string(),
            signature: Signature {
                access_key: key.access_key,
                secret_key: minted.secret.expose_secret().to_owned(),
                clock: self.service.clock.clone(),
            },
            address: self.service.address(),
        }
    }
}

/// All permissions of the machine surface.
pub fn everything() -> Vec<Permission> {
    let machine = |permission: &Permission| {
        let elsewhere = ["decisions:", "team:", "normalization:"];
        let name = permission.as_str();
        !elsewhere.iter().any(|prefix| name.starts_with(prefix))
            && !matches!(
                permission,
                Permission::UpdateSettings | Permission::DeactivateOrganization
            )
    };
    Permission::ALL.iter().copied().filter(machine).collect()
}

/// All permissions of the machine surface but these.
pub fn everything_but(missing: &[Permission]) -> Vec<Permission> {
    let mut left = everything();
    left.retain(|permission| !missing.contains(permission));
    left
}
