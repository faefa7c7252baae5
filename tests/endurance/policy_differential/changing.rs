//! Those who ask while their records and the policies change: a key and a session, kept as the service keeps them.

use std::sync::Arc;

use charter_authz::engine::Engine;
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_domain::caller::Caller;
use charter_domain::organization::PlanTier;
use charter_domain::permission::Permission;
use rand::RngExt;
use rand::rngs::StdRng;
use test_support::policy_world::Tenant;

use super::asked::{ROLES, facts, grants};
use super::pick;

/// Much more than two principals take.
const MEMORY: u64 = 1 << 20;
const PLANS: &[PlanTier] = &[PlanTier::Free, PlanTier::Starter, PlanTier::Pro];

pub(crate) struct Changing {
    engine: Engine,
    /// Not in force.
    other: Option<Snapshot>,
    /// One with a key, one with a session, each with its records as they are now.
    callers: [Caller; 2],
    /// Permissions that are asked of an organization.
    permissions: Vec<Permission>,
}

impl Changing {
    pub(crate) fn new(rng: &mut StdRng, in_force: Snapshot, other: Snapshot) -> Self {
        let tenant = Tenant::new(1);
        let of_organization = |permission: &Permission| {
            let resources = tenant.resources(*permission);
            let mut resources = resources.iter().map(|(_, resource)| resource);
            resources.any(|resource| matches!(resource, Resource::Organization(_)))
        };
        Self {
            engine: Engine::new(in_force, MEMORY),
            other: Some(other),
            callers: [program(rng), person(rng)],
            permissions: Permission::ALL
                .iter()
                .copied()
                .filter(of_organization)
                .collect(),
        }
    }

    /// Perhaps other records of one of them, perhaps other policies.
    pub(crate) fn change(&mut self, rng: &mut StdRng) {
        match rng.random_range(0..40) {
            0..5 => self.callers[0] = program(rng),
            5..10 => self.callers[1] = person(rng),
            10 => {
                let other = self.other.take().expect("another snapshot");
                self.other = Arc::into_inner(self.engine.replace(other));
            }
            _ => {}
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.engine.snapshot()
    }

    /// One of them: as the service has it in memory, and prepared from its records alone.
    pub(crate) fn asker(&self, rng: &mut StdRng, snapshot: &Snapshot) -> [Arc<Principal>; 2] {
        let caller = pick(rng, &self.callers);
        let fresh = Principal::prepare(caller, snapshot);
        [self.engine.prepare(caller, snapshot), Arc::new(fresh)]
    }

    /// About the asker's own organization: only then is an outcome kept.
    pub(crate) fn question<'a>(&self, rng: &mut StdRng, principal: &'a Principal) -> Question<'a> {
        let (source_ip, now) = facts(rng);
        Question {
            principal,
            permission: *pick(rng, &self.permissions),
            resource: Resource::Organization(principal.caller().organization()),
            source_ip,
            now,
        }
    }
}

fn tenant(rng: &mut StdRng) -> Tenant {
    let mut tenant = Tenant::new(1);
    tenant.organization.is_active = rng.random_bool(0.7);
    tenant.organization.plan_tier = *pick(rng, PLANS);
    tenant.account.is_active = rng.random_bool(0.8);
    tenant.service_account.is_active = rng.random_bool(0.8);
    tenant.member.is_active = rng.random_bool(0.8);
    tenant
}

fn program(rng: &mut StdRng) -> Caller {
    let (roles, permissions) = grants(rng);
    tenant(rng).program(&roles, &permissions)
}

fn person(rng: &mut StdRng) -> Caller {
    tenant(rng).person(pick::<&str>(rng, ROLES))
}
