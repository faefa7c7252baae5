//! What domains of one's own decide is on record, explained to operators, and to no organization.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::client::Answer;
use test_support::policy_world::copy;
use test_support::polling::until;
use test_support::service::{Grants, Persona as _, Service, TeamRole};
use test_support::services::TestDatabase;

use super::domains::Folder;
use super::forward_auth::{send, signed};
use super::{Asks as _, TOKEN, question};
use crate::decisions::Logged as _;

/// Operators' token and gateways' are one here.
async fn service(folder: &Folder) -> Service {
    service_with(folder, "").await
}

/// With more in `[policies]`.
async fn service_with(folder: &Folder, more: &str) -> Service {
    let policies = format!(
        "tests = \"off\"\nproofs = \"off\"\ndir = \"{}\"\n{more}\n[access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display()
    );
    let server = format!("ops_token = \"{TOKEN}\"");
    Service::with_server_and_policies(TestDatabase::sqlite(), &server, &policies).await
}

async fn workbench(service: &Service, target: &str) -> Answer {
    let request = service.operator_side().get(target);
    request
        .header("authorization", &format!("Bearer {TOKEN}"))
        .await
}

fn explained(mut question: Value) -> Value {
    question["options"] = json!({"explain": true});
    question
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evaluation_tells_its_decision_which_operators_find_explained() {
    let folder = Folder::with(&["records", "todo"]);
    let service = service(&folder).await;
    let evaluation = "/domains/records/access/v1/evaluation";
    let write = |record| question(("user", "alice"), "write", ("record", record));
    let denied = service
        .ask(evaluation, &explained(write("record-2")))
        .header("x-request-id", "r-7")
        .await
        .ok();
    assert_eq!(denied["decision"], false);
    assert_eq!(denied["context"]["reason"], "no policy permits `write`");
    let id = denied["context"]["decision_id"].as_str().expect("an id");
    let record = service.logged_as(id);
    assert_eq!(
        (&record["domain"], &record["request_id"]),
        (&json!("records"), &json!("r-7"))
    );
    // Without being asked nothing but the decision is told.
    let alone = service.ask(evaluation, &write("record-1")).await.ok();
    assert_eq!(alone, json!({"decision": true}));
    // What no policy was asked about is not on record, nor is a search.
    let nobody = question(("robot", "x"), "write", ("record", "record-1"));
    let unknown = service.ask(evaluation, &explained(nobody)).await.ok();
    assert_eq!(unknown["context"].get("decision_id"), None, "{unknown}");
    let search = "/domains/records/access/v1/search/subject";
    service.ask(search, &write("record-1")).await.ok();
    let many = json!({"evaluations": [write("record-1"), write("record-2")], "options": {"explain": true}});
    let many = service
        .ask("/domains/records/access/v1/evaluations", &many)
        .await
        .ok();
    for item in many["evaluations"].as_array().expect("a list") {
        let id = item["context"]["decision_id"].as_str().expect("an id");
        assert_eq!(
            service.logged_as(id)["decision"] == "allow",
            item["decision"] == true
        );
    }
    assert_eq!(service.logged().len(), 4);
    // Operators.
    let listed = workbench(&service, "/decisions?domain=records&outcome=deny")
        .await
        .ok();
    let results = listed["results"].as_array().expect("a list");
    assert_eq!(results.len(), 2);
    let first = results.last().expect("the first");
    assert_eq!(first["id"], json!(id));
    assert_eq!(
        (&first["domain"], &first["organization"]),
        (&json!("records"), &Value::Null)
    );
    assert_eq!(first["principal"], json!({"type": "user", "id": "alice"}));
    let other = workbench(&service, "/decisions?domain=todo").await.ok();
    assert_eq!(other["results"], json!([]));
    let shown = workbench(&service, &format!("/decisions/{id}")).await.ok();
    assert_eq!(shown["domain"], "records");
    let nearest = &shown["explanation"]["nearest"][0];
    assert_eq!(nearest["policy"], "records:write", "{shown}");
    assert_eq!(nearest["file"], "records.cedar");
    let failed = &nearest["failed"][0];
    assert_eq!(
        failed["text"], "resource.status == \"archived\"",
        "{nearest}"
    );
    // It stays explained by the policies that decided.
    let policies = std::fs::read_to_string(folder.domain("records").join("records.cedar"));
    folder.write(
        "records",
        "records.cedar",
        &policies.expect("read").replace("archived", "closed"),
    );
    let before = &shown["policy_digest"];
    super::domains::until(&service, |ready| {
        &ready["domains"]["records"]["digest"] != before
    })
    .await;
    let again = workbench(&service, &format!("/decisions/{id}")).await.ok();
    assert_eq!(again, shown);
    // Without its folder, too.
    std::fs::remove_dir_all(folder.domain("records")).expect("removed");
    super::domains::until(&service, |ready| ready["domains"].get("records").is_none()).await;
    let again = workbench(&service, &format!("/decisions/{id}")).await.ok();
    assert_eq!(again["explanation"], shown["explanation"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_is_told_the_decision_and_no_organization_finds_it() {
    let folder = Folder::with(&["gateway"]);
    let service = service(&folder).await;
    let acme = service.organization("acme").await;
    let grants = Grants {
        roles: &["member"],
        permissions: &[Permission::GetDecision, Permission::ListDecisions],
        ..Grants::default()
    };
    let reader = acme.signer_with(grants).await;
    let headers = signed(&reader, "GET", "/invoices/7");
    let passed = send(&service, "GET", "/invoices/7", &headers).await;
    assert_eq!(passed.status, 200, "{}", passed.code());
    let allowed = passed
        .header("x-charter-decision")
        .expect("a decision")
        .to_owned();
    let headers = signed(&reader, "DELETE", "/invoices/7");
    let refused = send(&service, "DELETE", "/invoices/7", &headers).await;
    assert_eq!(refused.status, 403);
    let denied = refused.json()["error"]["decision_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for (id, decision) in [(&allowed, "allow"), (&denied, "deny")] {
        let record = service.logged_as(id);
        assert_eq!(
            (&record["decision"], &record["via"]),
            (&json!(decision), &json!("forward_auth"))
        );
        assert_eq!(record["domain"], "gateway");
        assert_eq!(
            record["principal"],
            json!({"type": "Charter::ServiceAccount", "id": reader.id})
        );
        // Not even to the organization whose request it was.
        let target = format!("/decisions/{id}");
        reader.get(&target).await.assert_refused(404, "NOT_FOUND");
        let shown = workbench(&service, &target).await.ok();
        assert_eq!(shown["decision"], decision);
        assert_eq!(shown["organization"], Value::Null);
        assert!(shown["explanation"].is_object(), "{shown}");
    }
    let listed = reader.get("/decisions").await.ok();
    let listed = listed["results"].as_array().expect("a list");
    assert!(!listed.is_empty());
    assert!(
        listed.iter().all(|it| it["permission"]
            .as_str()
            .is_some_and(|it| it.starts_with("decisions:"))),
        "{listed:?}"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_domains_of_a_shadow_folder_are_asked_beside() {
    let (folder, shadow) = (Folder::with(&["records"]), Folder::with(&["records"]));
    let more = format!("shadow = \"{}\"", shadow.path().display());
    let service = service_with(&folder, &more).await;
    let read = question(("user", "alice"), "read", ("record", "record-1"));
    let differs = async || {
        service
            .ask("/domains/records/access/v1/evaluation", &read)
            .await
            .ok();
        let logged = service.logged().pop().expect("a line");
        logged["shadow"]["determining"] == json!(["closed"])
    };
    assert!(!differs().await);
    let forbid = "@id(\"closed\")\nforbid (principal, action, resource);\n";
    shadow.write("records", "closed.cedar", forbid);
    until("the shadow differs", differs).await;
    let found = workbench(&service, "/decisions?domain=records&shadow_differs=true").await;
    assert_eq!(found.ok()["results"][0]["shadow"]["decision"], "deny");
    // A broken one is told, and what was loaded stays.
    shadow.write("records", "closed.cedar", "forbid (");
    let ready = super::domains::until(&service, |ready| ready["policies"]["shadow"].is_string());
    let ready = ready.await;
    let told = ready["policies"]["shadow"].as_str().expect("a text");
    assert!(
        told.contains("the domain `records` of the shadow"),
        "{told}"
    );
    assert!(differs().await);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_and_replay_ask_the_policies_of_the_domain_that_decided() {
    let folder = Folder::with(&["records", "todo"]);
    let service = service(&folder).await;
    let write = explained(question(("user", "alice"), "write", ("record", "record-2")));
    let asked = service.ask("/domains/records/access/v1/evaluation", &write);
    let id = asked.await.ok()["context"]["decision_id"].clone();
    let id = id.as_str().expect("an id");
    let before = service.logged_as(id)["policy_digest"].clone();
    let wider = "@id(\"wider\")\npermit (principal, action, resource);\n";
    folder.write("records", "wider.cedar", wider);
    super::domains::until(&service, |ready| {
        ready["domains"]["records"]["digest"] != before
    })
    .await;
    let asked = service.ask("/domains/records/access/v1/evaluation", &write);
    assert_eq!(asked.await.ok()["decision"], true);
    // A folder that cannot even be read explains nothing, and need not.
    folder.write("records", "broken.cedar", "permit (");
    let told = service.told(&["policy", "explain", id, "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["explanation"]["policy_digest"], before);
    assert_eq!(told["explanation"]["ruling"], "not_permitted");
    let log = service.directory().join("decisions").display().to_string();
    let told = service.told(&["policy", "replay", &log]);
    assert!(
        told.contains("2 of 2 decisions asked again, 0 not reproduced"),
        "{told}"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_that_the_schema_excludes_are_denied_with_that_reason() {
    let folder = Folder::with(&[]);
    let service = service(&folder).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    let subject = ("ServiceAccount", reader.id.as_str());
    let role = ("Role", "emperor");
    for (action, resource, why) in [
        (
            "organizations:DeactivateOrganization",
            ("Organization", organization.as_str()),
            "the schema does not let a `ServiceAccount` ask for `organizations:DeactivateOrganization` on the type \
             `Organization`",
        ),
        (
            "service-accounts:AssignRole",
            role,
            "there is no `Role` named \"emperor\"",
        ),
    ] {
        let asked = explained(question(subject, action, resource));
        let denied = service.ask("/access/v1/evaluation", &asked).await.ok();
        assert_eq!(denied["decision"], false);
        assert_eq!(denied["context"]["reason"], why);
        let id = denied["context"]["decision_id"].as_str().expect("an id");
        let shown = workbench(&service, &format!("/decisions/{id}")).await.ok();
        let explanation = &shown["explanation"];
        assert_eq!(
            (&explanation["ruling"], &explanation["unaskable"]),
            (&json!("not_permitted"), &json!(why)),
            "{shown}"
        );
        assert_eq!(explanation["nearest"], json!([]));
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_asked_before_a_deactivated_organization_is_refused() {
    let folder = Folder::with(&["gateway"]);
    // One whose policies do not say so.
    let silent = folder.domain("silent");
    copy(&folder.domain("gateway"), &silent);
    for rules in ["invariants", "tests"] {
        std::fs::remove_dir_all(silent.join(rules)).expect("removed");
    }
    folder.write(
        "silent",
        "billing.cedar",
        "@id(\"all\")\npermit (principal, action, resource);\n",
    );
    let service = service(&folder).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    owner
        .ask("POST", "/api/portal/organization/deactivate")
        .await
        .ok();
    let bearer = owner.ask("GET", "/api/portal/me").write();
    let bearer = bearer.header("authorization").to_owned();
    for (domain, method, refused) in [
        ("gateway", "GET", false),
        ("gateway", "POST", true),
        ("silent", "GET", false),
        ("silent", "POST", true),
    ] {
        let answer = service
            .operator_side()
            .get(&format!("/domains/{domain}/access/v1/forward-auth"))
            .header("x-charter-authorization", &format!("Bearer {TOKEN}"))
            .header("x-forwarded-method", method)
            .header("x-forwarded-uri", "/invoices")
            .header("authorization", &bearer)
            .await;
        if !refused {
            assert_eq!(answer.status, 200, "{domain} {method}");
            continue;
        }
        answer.assert_refused(403, "ORGANIZATION_DEACTIVATED");
        let id = answer.json()["error"]["decision_id"].clone();
        let id = id.as_str().expect("it is on record");
        let record = workbench(&service, &format!("/decisions/{id}")).await.ok();
        let by_policy = record.to_string().contains("billing:deactivated");
        assert_eq!(by_policy, domain == "gateway", "{record}");
    }
    service.stop().await;
}
