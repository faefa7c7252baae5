//! The shipped policies keep the invariants, as far as trying out every kind of caller shows.
//! The proof over all requests is the policy tools' business.

use std::fs;

use charter_authz::snapshot::Snapshot;
use charter_domain::caller::Caller;
use charter_domain::permission::Permission;
use tempfile::TempDir;
use test_support::policy_world::{Tenant, ask, shipped};

fn callers(tenant: &Tenant, permission: Permission) -> Vec<Caller> {
    let all: Vec<&str> = Permission::ALL
        .iter()
        .map(|permission| permission.as_str())
        .collect();
    let mut callers = vec![
        tenant.program(&[], &[]),
        tenant.program(&[], &[permission.as_str()]),
        tenant.program(&[], &all),
        tenant.program(&["owner", "admin", "member"], &all),
        tenant.person("nobody"),
    ];
    for role in ["owner", "admin", "member"] {
        callers.push(tenant.person(role));
        callers.push(tenant.program(&[role], &[]));
    }
    callers
}

#[test]
fn every_allowed_request_satisfies_every_invariant() {
    let policies = Snapshot::load(&shipped()).expect("the shipped policies");
    let tenants = [Tenant::new(1), Tenant::new(2), Tenant::deactivated(1)];
    let mut allowed = Vec::new();
    for home in &tenants {
        for &permission in Permission::ALL {
            for caller in callers(home, permission) {
                for (_, resource) in tenants.iter().flat_map(|other| other.resources(permission)) {
                    if ask(&policies, &caller, permission, resource).is_allowed() {
                        allowed.push((caller.clone(), permission, resource));
                    }
                }
            }
        }
    }
    assert!(allowed.len() > 300, "{}", allowed.len());

    let files = fs::read_dir(shipped().join("invariants")).expect("the invariants");
    let mut invariants = 0;
    for file in files {
        let file = file.expect("an entry").path();
        // An invariant has the form of a policy set, so it can be asked like one.
        let folder = TempDir::new().expect("a temporary folder");
        for from in [&file, &shipped().join("schema.cedarschema")] {
            let name = from.file_name().expect("a file's name");
            fs::copy(from, folder.path().join(name)).expect("a copy");
        }
        let invariant = Snapshot::load(folder.path()).expect("a good folder");
        for (caller, permission, resource) in &allowed {
            let decision = ask(&invariant, caller, *permission, *resource);
            assert!(
                decision.is_allowed(),
                "{}: {permission} about {resource:?} by {caller:?}",
                file.display()
            );
        }
        invariants += 1;
    }
    assert!(invariants >= 4, "{invariants}");
}
