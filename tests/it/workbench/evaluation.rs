//! `POST /policies/evaluation`: a question, explained by the policies in force, the shadow, or a folder sent along.

use std::fs;

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::policy_world::whole_copy_of_shipped;
use test_support::service::{Persona as _, Service, TeamRole};

use super::{on_both, post, serve};

const PATH: &str = "/policies/evaluation";

on_both!(
    a_question_is_explained,
    impossible_questions_are_denied_with_a_note
);

fn question(subject: &str, action: Permission, organization: &str) -> Value {
    json!({
        "subject": {"type": "ServiceAccount", "id": subject},
        "action": {"name": action.as_str()},
        "resource": {"type": "Organization", "id": organization},
    })
}

async fn a_question_is_explained(service: &Service) {
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    let may = question(&reader.id, Permission::GetOrganization, &organization);
    let shown = post(service, PATH, &may).await.ok();
    assert_eq!(shown["decision"], true);
    let digest = service.state().engine.snapshot().digest().to_string();
    assert_eq!(
        shown["policies"],
        json!({"are": "in_force", "digest": digest})
    );
    let by = &shown["explanation"]["determining"][0];
    assert_eq!(
        (&by["policy"], &by["file"], &by["line"]),
        (
            &json!("organizations:GetOrganization"),
            &json!("organizations.cedar"),
            &json!(4)
        )
    );
    let may_not = question(&reader.id, Permission::UpdateOrganization, &organization);
    let shown = post(service, PATH, &may_not).await.ok();
    assert_eq!(shown["decision"], false);
    let nearest = &shown["explanation"]["nearest"][0];
    assert_eq!(
        nearest["policy"], "organizations:UpdateOrganization",
        "{shown}"
    );
    let failed = &nearest["failed"][0];
    assert_eq!(failed["value"], "false", "{nearest}");
    assert!(
        failed["line"].as_u64().is_some() && failed["text"].is_string(),
        "{nearest}"
    );

    // Nothing of it is a decision that anybody acted upon.
    assert!(
        service
            .state()
            .decisions
            .flush(std::time::Duration::from_mins(1))
    );
    let log = service.directory().join("decisions");
    let files = fs::read_dir(log).expect("the log");
    for file in files {
        let file = file.expect("an entry").path();
        if file.extension().is_some_and(|it| it == "jsonl") {
            let text = fs::read_to_string(file).expect("a file");
            assert!(!text.contains(&reader.id), "{text}");
        }
    }
}

async fn impossible_questions_are_denied_with_a_note(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    let denied = async |question: &Value, note: &str| {
        let shown = post(service, PATH, question).await.ok();
        assert_eq!(shown["decision"], false, "{shown}");
        let told = shown["note"].as_str().unwrap_or_default();
        assert!(told.contains(note), "{shown}");
        shown
    };
    let good = question(&reader.id, Permission::GetOrganization, &organization);
    let nobody = question("sa-nonsense", Permission::GetOrganization, &organization);
    denied(&nobody, "no such subject").await;
    let nothing = question(&reader.id, Permission::GetOrganization, "org-nonsense");
    denied(&nothing, "no such resource").await;
    let odd = question(&reader.id, Permission::RevokeKey, &organization);
    denied(&odd, "does not allow this question").await;
    owner
        .patch(&reader.path(), json!({"is_active": false}))
        .await
        .ok();
    let shown = denied(&good, "disabled").await;
    assert!(shown["explanation"].is_object());
    for (pointer, value) in [
        ("/subject/type", json!("Robot")),
        ("/action/name", json!("organizations:Fly")),
        ("/resource/id", json!(7)),
    ] {
        let mut broken = good.clone();
        *broken.pointer_mut(pointer).expect("there") = value;
        assert_eq!(
            post(service, PATH, &broken).await.broken_on_portal(),
            [pointer]
        );
    }
    for (member, value, field) in [
        ("policies", json!("other"), "/policies"),
        ("policies", json!("shadow"), "/policies"),
        ("context", json!({"source_ip": "x"}), "/context/source_ip"),
        ("context", json!({"now": "noon"}), "/context/now"),
        ("context", json!({"now": 7}), "/context/now"),
        // No request has such a time, so the solver is told of none.
        (
            "context",
            json!({"now": "1969-12-31T23:59:59Z"}),
            "/context/now",
        ),
        // Mistyped, it would answer another question.
        (
            "context",
            json!({"sourceip": "192.0.2.7"}),
            "/context/sourceip",
        ),
        (
            "changes",
            json!({"nosuch.cedar": null}),
            "/changes/nosuch.cedar",
        ),
    ] {
        let mut broken = good.clone();
        broken[member] = value;
        assert_eq!(
            post(service, PATH, &broken).await.broken_on_portal(),
            [field]
        );
    }
    let mut with_options = good.clone();
    with_options["options"] = json!({"explain": true});
    post(service, PATH, &with_options).await.ok();
    let mut unknown = good.clone();
    unknown["x"] = json!(1);
    post(service, PATH, &unknown)
        .await
        .assert_refused(400, "UNKNOWN_FIELD");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shadow_and_a_sent_folder_answer_for_themselves() {
    let (folder, shadow) = (whole_copy_of_shipped(), whole_copy_of_shipped());
    let stop = "@id(\"stop\")\nforbid (principal, action, resource) when { context.source_ip.isInRange(ip(\"192.0.2.0/24\")) };\n";
    fs::write(shadow.path().join("stop.cedar"), stop).expect("an edit");
    let more = format!("shadow = \"{}\"", shadow.path().display());
    let service = serve(folder.path(), &more).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    let mut question = question(&reader.id, Permission::GetOrganization, &organization);
    question["context"] = json!({"source_ip": "192.0.2.7", "now": "2025-01-01T00:00:00Z"});
    let asked = async |member: &str, value: Value| {
        let mut question = question.clone();
        question[member] = value;
        post(&service, PATH, &question).await
    };
    assert_eq!(
        asked("policies", json!("in_force")).await.ok()["decision"],
        true
    );
    let shown = asked("policies", json!("shadow")).await.ok();
    assert_eq!(
        (&shown["decision"], &shown["policies"]["are"]),
        (&json!(false), &json!("shadow"))
    );
    assert_eq!(shown["explanation"]["determining"][0]["policy"], "stop");

    let shown = asked("changes", json!({"stop.cedar": stop})).await.ok();
    assert_eq!(
        (&shown["decision"], &shown["policies"]["are"]),
        (&json!(false), &json!("sent"))
    );
    assert_eq!(shown["explanation"]["determining"][0]["file"], "stop.cedar");
    let shown = asked("changes", json!({"organizations.cedar": null}))
        .await
        .ok();
    assert_eq!(shown["explanation"]["ruling"], "not_permitted");
    let schema = fs::read_to_string(folder.path().join("schema.cedarschema")).expect("a file");
    let permit = "@id(\"all\")\npermit (principal, action, resource);\n";
    let whole = json!({"schema.cedarschema": schema, "all.cedar": permit});
    let shown = asked("folder", whole).await.ok();
    assert_eq!(shown["explanation"]["determining"][0]["policy"], "all");
    // Nothing of it took effect, and nothing was written.
    assert_eq!(
        asked("policies", json!("in_force")).await.ok()["decision"],
        true
    );
    assert!(!folder.path().join("stop.cedar").exists());
    service.stop().await;
}
