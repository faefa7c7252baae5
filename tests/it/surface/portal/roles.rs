//! Roles that the policy folder adds to its schema are given to people like the shipped ones.

use std::fs;

use serde_json::json;
use test_support::on_both_engines;
use test_support::policy_world::copy_of_shipped;
use test_support::service::{PASSWORD, Persona, Service, TeamRole};
use test_support::services::TestDatabase;

use super::{ORGANIZATION, TEAM};

on_both_engines!(a_role_of_the_schema_is_given_to_people);

const AUDITOR: &str = "// An auditor reads the organization.\n@id(\"roles.auditor\")\n\
    permit (principal in Role::\"auditor\", action == Action::\"organizations:GetOrganization\", resource);\n";

async fn a_role_of_the_schema_is_given_to_people(database: TestDatabase) {
    let folder = copy_of_shipped();
    let schema = folder.path().join("schema.cedarschema");
    let text = fs::read_to_string(&schema).expect("a schema");
    let wider = text.replace(
        "entity Role enum [\"owner\"",
        "entity Role enum [\"auditor\", \"owner\"",
    );
    assert_ne!(text, wider);
    fs::write(&schema, wider).expect("written");
    fs::write(folder.path().join("auditors.cedar"), AUDITOR).expect("written");
    let policies = format!(
        "tests = \"off\"\nproofs = \"off\"\ndir = \"{}\"",
        folder.path().display()
    );
    let service = Service::with_policies(database, &policies).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let admin = acme.person(TeamRole::Admin).await;
    let member = acme.person(TeamRole::Member).await;

    let invite = json!({"email": "grace@example.com", "role": "auditor"});
    let invited = admin.post(&format!("{TEAM}/invite"), invite).await.ok();
    assert_eq!(invited["role"], "auditor");
    let token = service.link("accept-invitation", "grace@example.com", 1);
    let accept = json!({"token": token.await, "password": PASSWORD});
    let accepted = service
        .anonymous()
        .post("/api/auth/accept-invitation", accept)
        .await;
    let grace = service.person("grace@example.com", &accepted);
    grace.get(ORGANIZATION).await.ok();
    grace.get(TEAM).await.assert_refused(403, "NOT_PERMITTED");

    let role_of_member = format!("{TEAM}/{}/role", member.id);
    let changed = owner.put(&role_of_member, json!({"role": "auditor"})).await;
    assert_eq!(changed.ok()["role"], "auditor");
    member.get(TEAM).await.assert_refused(403, "NOT_PERMITTED");

    for (path, body) in [
        (
            format!("{TEAM}/invite"),
            json!({"email": "joan@example.com", "role": "king"}),
        ),
        (role_of_member.clone(), json!({"role": "king"})),
    ] {
        let request = if path == role_of_member {
            owner.put(&path, body)
        } else {
            owner.post(&path, body)
        };
        let refused = request.await;
        assert!(
            refused.json().to_string().contains("`auditor`"),
            "{refused:?}"
        );
        assert_eq!(refused.broken_on_portal(), ["/role"]);
    }

    // A role that the schema has lost holds nothing.
    let stray = acme.person("herald").await;
    stray
        .get(ORGANIZATION)
        .await
        .assert_refused(403, "NOT_PERMITTED");
    service.stop().await;
}
