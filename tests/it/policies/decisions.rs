//! How a decision is made: by the policies of one action, as the whole set would; an errored
//! forbid denies; what a record says that the schema does not know counts for nothing.

use std::fs;

use charter_authz::decision::{Denial, Outcome};
use charter_authz::engine::Engine;
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use test_support::policy_world::{Tenant, address, ask, copy_of_shipped, now, shipped};

fn with_extra(text: &str) -> Snapshot {
    let folder = copy_of_shipped();
    fs::write(folder.path().join("extra.cedar"), text).expect("a written file");
    Snapshot::load(folder.path()).expect("a good folder")
}

#[test]
fn a_decision_names_what_decided_it() {
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    let acme = Tenant::new(1);
    let reader = acme.program(&["member"], &["organizations:GetOrganization"]);

    let allowed = ask(
        &snapshot,
        &reader,
        Permission::GetOrganization,
        acme.organization(),
    );
    assert_eq!(allowed.outcome, Outcome::Allow);
    assert_eq!(
        allowed.determining,
        ["organizations:GetOrganization", "roles.member"]
    );
    assert_eq!(&allowed.policy_digest, snapshot.digest());

    let unspoken = ask(
        &snapshot,
        &reader,
        Permission::UpdateOrganization,
        acme.organization(),
    );
    assert_eq!(unspoken.outcome, Outcome::Deny(Denial::NotPermitted));
    assert!(unspoken.determining.is_empty());

    let other = Tenant::new(2);
    let foreign = ask(
        &snapshot,
        &reader,
        Permission::GetOrganization,
        other.organization(),
    );
    assert_eq!(foreign.outcome, Outcome::Deny(Denial::ForbiddenByPolicy));
    assert_eq!(foreign.determining, ["guardrails.other-organization"]);
}

#[test]
fn an_errored_forbid_denies() {
    let snapshot = with_extra(
        "@id(\"overflowing\")\nforbid (principal, action in Action::\"reads\", resource)\n\
         when { context.now.toTime().toMilliseconds() + 9223372036854775807 < 0 };",
    );
    let acme = Tenant::new(1);
    let owner = acme.program(&["owner"], &[]);
    let read = ask(
        &snapshot,
        &owner,
        Permission::GetOrganization,
        acme.organization(),
    );
    assert_eq!(read.outcome, Outcome::Deny(Denial::ForbiddenByPolicy));
    assert_eq!(read.determining, ["overflowing"]);
    assert_eq!(read.errors.len(), 1);
    let write = ask(
        &snapshot,
        &owner,
        Permission::UpdateOrganization,
        acme.organization(),
    );
    assert!(write.is_allowed(), "the forbid is not about writes");
    let stranger = acme.program(&[], &[]);
    let denied = ask(
        &snapshot,
        &stranger,
        Permission::GetOrganization,
        acme.organization(),
    );
    assert_eq!(denied.outcome, Outcome::Deny(Denial::NotPermitted));
}

#[test]
fn an_errored_permit_permits_nothing_and_stops_nothing() {
    let snapshot = with_extra(
        "@id(\"overflowing\")\npermit (principal, action, resource)\n\
         when { context.now.toTime().toMilliseconds() + 9223372036854775807 > 0 };",
    );
    let acme = Tenant::new(1);
    let reader = acme.program(&[], &["organizations:GetOrganization"]);
    let read = ask(
        &snapshot,
        &reader,
        Permission::GetOrganization,
        acme.organization(),
    );
    assert!(read.is_allowed());
    assert_eq!(read.errors.len(), 1);
    assert_eq!(read.errors[0].policy, "overflowing");
    let write = ask(
        &snapshot,
        &reader,
        Permission::UpdateOrganization,
        acme.organization(),
    );
    assert_eq!(write.outcome, Outcome::Deny(Denial::NotPermitted));
}

#[test]
fn stored_names_that_the_schema_lacks_count_for_nothing() {
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    let acme = Tenant::new(1);
    let caller = acme.program(
        &["superuser", "owner\"", "Owner"],
        &["organizations:*", "organizations:getorganization", ""],
    );
    for &permission in Permission::ALL {
        for (_, resource) in acme.resources(permission) {
            assert!(!ask(&snapshot, &caller, permission, resource).is_allowed());
        }
    }
    let owner = acme.person("owner");
    for unknown in [Resource::Role("superuser"), Resource::Role("")] {
        let decision = ask(&snapshot, &owner, Permission::AssignTeamRole, unknown);
        assert_eq!(decision.outcome, Outcome::Deny(Denial::NotPermitted));
    }
}

#[test]
fn a_question_that_the_schema_does_not_have_is_denied() {
    let snapshot = with_extra("@id(\"everything\") permit (principal, action, resource);");
    let acme = Tenant::new(1);
    let program = acme.program(&["owner"], &[]);
    for (permission, resource) in [
        (Permission::DeactivateOrganization, acme.organization()),
        (Permission::GetOrganization, acme.account()),
        (Permission::GetAccount, acme.organization()),
        (Permission::GrantPermission, Resource::Role("member")),
    ] {
        let decision = ask(&snapshot, &program, permission, resource);
        assert_eq!(
            decision.outcome,
            Outcome::Deny(Denial::NotPermitted),
            "{permission}"
        );
    }
}

#[test]
fn disabled_and_deleted_callers_are_denied() {
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    let acme = Tenant::new(1);
    let working = ServiceAccount {
        permissions: vec!["organizations:GetOrganization".to_owned()].into(),
        ..acme.service_account.clone()
    };
    let read = |tenant: &Tenant, service_account: ServiceAccount| {
        let caller = tenant.program_from(service_account);
        ask(
            &snapshot,
            &caller,
            Permission::GetOrganization,
            acme.organization(),
        )
        .is_allowed()
    };
    assert!(read(&acme, working.clone()));
    let disabled = ServiceAccount {
        is_active: false,
        ..working.clone()
    };
    assert!(!read(&acme, disabled));
    let deleted = ServiceAccount {
        deleted_at: Some(now()),
        ..working.clone()
    };
    assert!(!read(&acme, deleted));
    let mut closed = acme.clone();
    closed.account.is_active = false;
    assert!(!read(&closed, working));
}

#[test]
fn the_resource_as_it_was_loaded_counts_not_what_was_prepared() {
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    let prepared_from = Tenant::new(1);
    let caller = prepared_from.program(&["owner"], &[]);
    let reloaded = Tenant::deactivated(1);
    for (permission, is_allowed) in [
        (Permission::GetOrganization, true),
        (Permission::UpdateOrganization, false),
    ] {
        let decision = ask(&snapshot, &caller, permission, reloaded.organization());
        assert_eq!(decision.is_allowed(), is_allowed, "{permission}");
    }
    let decision = ask(
        &snapshot,
        &caller,
        Permission::UpdateAccount,
        reloaded.account(),
    );
    assert!(!decision.is_allowed());
}

#[test]
fn ipv4_mapped_addresses_count_as_ipv4() {
    let snapshot = with_extra(
        "@id(\"office-only\")\nforbid (principal, action, resource)\n\
         unless { context.source_ip.isInRange(ip(\"192.0.2.0/24\")) };",
    );
    let acme = Tenant::new(1);
    let caller = acme.program(&["owner"], &[]);
    let principal = Principal::prepare(&caller, &snapshot);
    for (source_ip, is_allowed) in [
        ("192.0.2.9", true),
        ("::ffff:192.0.2.9", true),
        ("198.51.100.1", false),
        ("::ffff:198.51.100.1", false),
        ("2001:db8::1", false),
    ] {
        let decision = snapshot.decide(&Question {
            principal: &principal,
            permission: Permission::GetOrganization,
            resource: acme.organization(),
            source_ip: source_ip.parse().expect("an address"),
            now: now(),
        });
        assert_eq!(decision.is_allowed(), is_allowed, "{source_ip}");
        assert!(decision.errors.is_empty(), "{source_ip}");
    }
}

#[test]
fn policies_see_the_time_and_how_the_caller_authenticated() {
    let snapshot = with_extra(
        "@id(\"until-october\")\nforbid (principal, action, resource)\n\
         when { context.now >= datetime(\"2025-10-01T00:00:00Z\") };\n\
         @id(\"people-only\")\nforbid (principal, action == Action::\"accounts:ListAccounts\", resource)\n\
         unless { context.authentication == AuthenticationMethod::\"bearer-token\" };",
    );
    let acme = Tenant::new(1);
    let program = acme.program(&["owner"], &[]);
    let person = acme.person("owner");
    let list = |caller| {
        ask(
            &snapshot,
            caller,
            Permission::ListAccounts,
            acme.organization(),
        )
    };
    assert!(list(&person).is_allowed());
    assert_eq!(list(&program).determining, ["people-only"]);
    let principal = Principal::prepare(&person, &snapshot);
    let later = snapshot.decide(&Question {
        principal: &principal,
        permission: Permission::GetOrganization,
        resource: acme.organization(),
        source_ip: address(),
        now: now() + std::time::Duration::from_hours(12),
    });
    assert_eq!(later.determining, ["until-october"]);
}

#[test]
fn a_principal_prepared_for_another_snapshot_is_prepared_anew() {
    let old = Snapshot::load(&shipped()).expect("the shipped policies");
    let folder = copy_of_shipped();
    let schema = folder.path().join("schema.cedarschema");
    let text = fs::read_to_string(&schema).expect("the schema");
    fs::write(
        &schema,
        text.replace("\"member\"]", "\"member\", \"auditor\"]"),
    )
    .expect("written");
    fs::write(
        folder.path().join("extra.cedar"),
        "@id(\"roles.auditor\")\npermit (principal in Role::\"auditor\", action in Action::\"reads\", resource);",
    )
    .expect("written");
    let new = Snapshot::load(folder.path()).expect("a good folder");

    let acme = Tenant::new(1);
    let caller = acme.program(&["auditor"], &[]);
    let principal = Principal::prepare(&caller, &old);
    let question = Question {
        principal: &principal,
        permission: Permission::GetOrganization,
        resource: acme.organization(),
        source_ip: address(),
        now: now(),
    };
    assert!(!old.decide(&question).is_allowed());
    assert!(new.decide(&question).is_allowed());

    let engine = Engine::new(old, 1 << 20);
    let of_request = engine.snapshot();
    engine.replace(new);
    assert!(!of_request.decide(&question).is_allowed());
    assert!(engine.snapshot().decide(&question).is_allowed());
}
