//! Who asks, and about what: themselves among others, as they are and as they have become.

use std::net::IpAddr;

use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::caller::Caller;
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::timestamp::{self, Timestamp};
use charter_domain::user::User;
use rand::RngExt;
use rand::rngs::StdRng;
use test_support::policy_world::Tenant;

use super::pick;

/// The last one is a role that no schema has.
pub(crate) const ROLES: &[&str] = &["owner", "admin", "member", "former"];
const ADDRESSES: &[&str] = &[
    "192.0.2.7",
    "127.0.0.1",
    "2001:db8::7",
    "::1",
    "ff02::1",
    "::ffff:192.0.2.7",
    "224.0.0.1",
];
/// The last two are as far away as a clock can be set.
const TIMES: &[&str] = &[
    "2025-09-30T12:00:00Z",
    "2025-09-30T00:00:00Z",
    "2025-09-29T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
];
/// Preparing a caller costs more than asking for it.
const ASKERS: usize = 40;

/// Some tenants and some who ask about them.
pub(crate) struct World {
    tenants: Vec<Tenant>,
    askers: Vec<RandomCaller>,
}

struct RandomCaller {
    principal: Principal,
    /// A tenant where each thing that can be the asker is the asker.
    itself: Tenant,
    /// The same, but the asker's records have changed since it was prepared.
    changed: Tenant,
}

impl World {
    pub(crate) fn random(rng: &mut StdRng, snapshot: &Snapshot) -> Self {
        let one = Tenant::new(1);
        let other = Tenant::new(2);
        let moved = Tenant {
            account: Account {
                id: one.account.id,
                ..other.account.clone()
            },
            service_account: ServiceAccount {
                account_id: one.account.id,
                ..other.service_account.clone()
            },
            ..other.clone()
        };
        let tenants = vec![one, other, Tenant::deactivated(1), moved];
        let askers = (0..ASKERS)
            .map(|_| RandomCaller::random(rng, &tenants, snapshot))
            .collect();
        Self { tenants, askers }
    }

    pub(crate) fn question(&self, rng: &mut StdRng) -> Question<'_> {
        let asker = pick(rng, &self.askers);
        let permission = *pick(rng, Permission::ALL);
        let about = match rng.random_range(0..5) {
            0 => &asker.itself,
            1 => &asker.changed,
            _ => pick(rng, &self.tenants),
        };
        let resources = about.resources(permission);
        let (_, mut resource) = *pick(rng, &resources);
        if let Resource::Role(name) = &mut resource {
            *name = *pick(rng, ROLES);
        }
        let (source_ip, now) = facts(rng);
        Question {
            principal: &asker.principal,
            permission,
            resource,
            source_ip,
            now,
        }
    }
}

/// Of a request: where it comes from, and when.
pub(crate) fn facts(rng: &mut StdRng) -> (IpAddr, Timestamp) {
    let address = pick::<&str>(rng, ADDRESSES).parse().expect("an address");
    let time = timestamp::parse(pick::<&str>(rng, TIMES)).expect("a time");
    (address, time)
}

impl RandomCaller {
    fn random(rng: &mut StdRng, tenants: &[Tenant], snapshot: &Snapshot) -> Self {
        let home = pick(rng, tenants);
        let caller = if rng.random_bool(0.3) {
            home.person(pick::<&str>(rng, ROLES))
        } else {
            let (roles, permissions) = grants(rng);
            home.program(&roles, &permissions)
        };
        let (itself, changed) = match &caller {
            Caller::ServiceAccount(caller) => {
                let now = caller.service_account();
                let (roles, permissions) = grants(rng);
                let later = ServiceAccount {
                    roles: roles.into_iter().map(str::to_owned).collect(),
                    permissions: permissions.into_iter().map(str::to_owned).collect(),
                    is_active: rng.random_bool(0.8),
                    ..now.clone()
                };
                let elsewhere = pick(rng, tenants);
                (
                    home_of_program(home, now.clone()),
                    home_of_program(elsewhere, later),
                )
            }
            Caller::User(caller) => (
                home_of_person(home, caller.user().clone()),
                home_of_person(
                    home,
                    User {
                        role: (*pick(rng, ROLES)).to_owned(),
                        is_active: rng.random_bool(0.8),
                        ..caller.user().clone()
                    },
                ),
            ),
        };
        Self {
            principal: Principal::prepare(&caller, snapshot),
            itself,
            changed,
        }
    }
}

pub(crate) fn grants(rng: &mut StdRng) -> (Vec<&'static str>, Vec<&'static str>) {
    let mut some = |names: Vec<&'static str>| -> Vec<&'static str> {
        names.into_iter().filter(|_| rng.random_bool(0.2)).collect()
    };
    let permissions = Permission::ALL.iter().map(|permission| permission.as_str());
    (some(ROLES.to_vec()), some(permissions.collect()))
}

fn home_of_program(home: &Tenant, program: ServiceAccount) -> Tenant {
    Tenant {
        access_key: AccessKey {
            service_account_id: program.id,
            ..home.access_key.clone()
        },
        service_account: ServiceAccount {
            organization_id: home.organization.id,
            account_id: home.account.id,
            ..program
        },
        ..home.clone()
    }
}

fn home_of_person(home: &Tenant, person: User) -> Tenant {
    Tenant {
        member: person.clone(),
        owner: person,
        ..home.clone()
    }
}
