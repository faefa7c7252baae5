//! Two tenants with one resource of each type, their callers, and policy folders.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use charter_authz::decision::Decision;
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::caller::{Caller, ServiceAccountCaller, UserCaller};
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::metadata::Metadata;
use charter_domain::organization::{Organization, PlanTier};
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::{Description, Name};
use charter_domain::timestamp::{self, Timestamp};
use charter_domain::user::User;
use tempfile::TempDir;

/// The shipped policies.
pub fn shipped() -> PathBuf {
    crate::repository().join("policies")
}

/// A copy of the shipped policies, without invariants and examples.
pub fn copy_of_shipped() -> TempDir {
    let copy = TempDir::new().expect("a temporary folder");
    for entry in fs::read_dir(shipped()).expect("the shipped folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let name = path.file_name().expect("a file's name");
            fs::copy(&path, copy.path().join(name)).expect("a copy");
        }
    }
    copy
}

/// A copy of the shipped folder with invariants and examples.
pub fn whole_copy_of_shipped() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    copy(&shipped(), folder.path());
    folder
}

/// Copies a folder recursively.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).expect("a copy");
        }
    }
}

pub fn now() -> Timestamp {
    timestamp::parse("2025-09-30T12:00:00Z").expect("a time")
}

pub fn address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))
}

/// A tenant with one resource of each type.
#[derive(Clone)]
pub struct Tenant {
    pub organization: Organization,
    pub account: Account,
    pub service_account: ServiceAccount,
    pub access_key: AccessKey,
    pub member: User,
    pub owner: User,
    /// Whom `person` makes, in any role.
    pub asker: User,
}

fn id<T: std::str::FromStr>(prefix: &str, number: u32) -> T {
    format!("{prefix}{number:026}").parse().ok().expect("an id")
}

impl Tenant {
    #[expect(clippy::too_many_lines, reason = "one record of each kind")]
    pub fn new(number: u32) -> Self {
        let organization = Organization {
            id: id("org-", number),
            code: "acme01".parse().expect("a code"),
            slug: "acme".to_owned(),
            name: Name::from_stored("Acme Corporation".to_owned()),
            contact_email: None,
            default_region: None,
            allowed_regions: vec!["eu-central-1".to_owned()],
            plan_tier: PlanTier::Free,
            monthly_doc_limit: 100,
            is_active: true,
            deactivated_at: None,
            metadata: Metadata::default(),
            version: 1,
            created_at: now(),
            updated_at: now(),
        };
        let account = Account {
            id: id("acc-", number),
            organization_id: organization.id,
            code: "main01".parse().expect("a code"),
            name: Name::from_stored("Main".to_owned()),
            is_default: true,
            is_active: true,
            metadata: Metadata::default(),
            version: 1,
            created_at: now(),
            updated_at: now(),
        };
        let service_account = ServiceAccount {
            id: id("sa-", 10 * number),
            organization_id: organization.id,
            account_id: account.id,
            name: Name::from_stored("CI".to_owned()),
            description: Description::default(),
            is_active: true,
            roles: Vec::new().into(),
            permissions: Vec::new().into(),
            metadata: Metadata::default(),
            deleted_at: None,
            last_used_at: None,
            version: 1,
            created_at: now(),
            updated_at: now(),
        };
        let access_key = AccessKey {
            id: id("key-", number),
            organization_id: organization.id,
            service_account_id: service_account.id,
            access_key: "sa_acme01_main01_x".to_owned(),
            description: Description::default(),
            ip_allowlist: IpAllowlist::default(),
            expires_at: None,
            rotated_at: None,
            expiry_before_rotation: None,
            revoked_at: None,
            last_used_at: None,
            created_at: now(),
        };
        let member = User {
            id: id("user-", 10 * number),
            organization_id: organization.id,
            email: "member@example.org".to_owned(),
            role: "member".to_owned(),
            is_active: true,
            email_verified: true,
            created_at: now(),
            last_login_at: None,
        };
        let owner = User {
            id: id("user-", 10 * number + 1),
            role: "owner".to_owned(),
            ..member.clone()
        };
        let asker = User {
            id: id("user-", 9_998 + number),
            ..member.clone()
        };
        Self {
            organization,
            account,
            service_account,
            access_key,
            member,
            owner,
            asker,
        }
    }

    pub fn deactivated(number: u32) -> Self {
        let mut tenant = Self::new(number);
        tenant.organization.is_active = false;
        tenant
    }

    /// Another service account of this tenant.
    pub fn program(&self, roles: &[&str], permissions: &[&str]) -> Caller {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let service_account = ServiceAccount {
            id: id("sa-", 9_999),
            roles: owned(roles),
            permissions: owned(permissions),
            ..self.service_account.clone()
        };
        self.program_from(service_account)
    }

    #[expect(clippy::disallowed_methods, reason = "a test makes any caller")]
    pub fn program_from(&self, service_account: ServiceAccount) -> Caller {
        Caller::ServiceAccount(Arc::new(ServiceAccountCaller::new(
            service_account,
            self.account.clone(),
            self.organization.clone(),
            Some(id("key-", 9_999)),
        )))
    }

    /// Another user of this tenant.
    pub fn person(&self, role: &str) -> Caller {
        self.person_from(User {
            role: role.to_owned(),
            ..self.asker.clone()
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a test makes any caller")]
    fn person_from(&self, user: User) -> Caller {
        let session = Some(id("session-", 1));
        let caller = UserCaller::new(session, user, self.organization.clone());
        Caller::User(Arc::new(caller))
    }

    /// A user whose address is not verified.
    pub fn unverified(&self, role: &str) -> Caller {
        let Caller::User(person) = self.person(role) else {
            unreachable!("a person");
        };
        self.person_from(User {
            email_verified: false,
            ..person.user().clone()
        })
    }

    pub fn organization(&self) -> Resource<'_> {
        Resource::Organization(&self.organization)
    }

    pub fn account(&self) -> Resource<'_> {
        Resource::Account {
            account: &self.account,
            organization: &self.organization,
        }
    }

    pub fn service_account(&self) -> Resource<'_> {
        Resource::ServiceAccount {
            service_account: &self.service_account,
            account: &self.account,
            organization: &self.organization,
        }
    }

    pub fn access_key(&self) -> Resource<'_> {
        Resource::AccessKey {
            access_key: &self.access_key,
            service_account: &self.service_account,
            account: &self.account,
            organization: &self.organization,
        }
    }

    pub fn user<'a>(&'a self, user: &'a User) -> Resource<'a> {
        Resource::User {
            user,
            organization: &self.organization,
        }
    }

    /// The resources of this tenant for a permission, by name.
    #[expect(clippy::too_many_lines, reason = "an arm for each permission")]
    pub fn resources(&self, permission: Permission) -> Vec<(&'static str, Resource<'_>)> {
        use Permission as P;
        match permission {
            P::GetOrganization
            | P::UpdateOrganization
            | P::UpdateSettings
            | P::DeactivateOrganization
            | P::ListAccounts
            | P::CreateAccount
            | P::GetDecision
            | P::ListDecisions
            | P::ListEvents
            | P::ListPermissions
            | P::ListMembers
            | P::InviteMember
            | P::Normalize => vec![("organization", self.organization())],
            P::GetAccount | P::UpdateAccount | P::CreateServiceAccount => {
                vec![("account", self.account())]
            }
            P::ListServiceAccounts | P::ListDeletedServiceAccounts => vec![
                ("organization", self.organization()),
                ("account", self.account()),
            ],
            P::GetServiceAccount
            | P::UpdateServiceAccount
            | P::DeleteServiceAccount
            | P::CreateKey => vec![("service account", self.service_account())],
            P::ListKeys => vec![
                ("service account", self.service_account()),
                ("organization", self.organization()),
            ],
            P::ExtendKey => vec![
                ("service account", self.service_account()),
                ("access key", self.access_key()),
            ],
            P::RotateKey | P::RevokeKey => vec![("access key", self.access_key())],
            P::ChangeRole | P::RemoveMember => vec![
                ("member", self.user(&self.member)),
                ("owner", self.user(&self.owner)),
            ],
            P::EndOwnSession | P::ChangeOwnPassword | P::VerifyOwnEmail => vec![
                ("oneself", self.user(&self.asker)),
                ("member", self.user(&self.member)),
            ],
            P::AssignServiceAccountRole | P::AssignTeamRole => vec![
                ("role owner", Resource::Role("owner")),
                ("role member", Resource::Role("member")),
            ],
            P::GrantPermission => vec![
                (
                    "deactivating",
                    Resource::Permission("organizations:DeactivateOrganization"),
                ),
                (
                    "granting",
                    Resource::Permission("service-accounts:GrantPermission"),
                ),
                (
                    "reading",
                    Resource::Permission("organizations:GetOrganization"),
                ),
            ],
        }
    }
}

/// Evaluates at the default time and from the default address; about itself, a user is as it asks.
pub fn ask(
    snapshot: &Snapshot,
    caller: &Caller,
    permission: Permission,
    resource: Resource<'_>,
) -> Decision {
    let resource = match (resource, caller) {
        (Resource::User { user, organization }, Caller::User(own)) if user.id == own.user().id => {
            let user = own.user();
            Resource::User { user, organization }
        }
        (other, _) => other,
    };
    let principal = Principal::prepare(caller, snapshot);
    let decision = snapshot.decide(&Question {
        principal: &principal,
        permission,
        resource,
        source_ip: address(),
        now: now(),
    });
    Arc::unwrap_or_clone(decision)
}
