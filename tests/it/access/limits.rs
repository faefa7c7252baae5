//! What the schema of a domain of one's own declares of a question has a bounded size; the rest is ignored, however
//! much it is.

use std::fs;

use serde_json::{Map, Value, json};
use test_support::service::Service;
use test_support::services::TestDatabase;

use super::domains::{Folder, path};
use super::{Asks as _, TOKEN, question};

const SCHEMA: &str = "entity person, paper = { \"seen\"?: Set<Long>, \"about\"?: String };
action \"read\" appliesTo {
  principal: [person], resource: [paper], context: { \"seen\"?: Set<Long>, \"about\"?: String },
};
";
const POLICIES: &str = "@id(\"anybody\")\npermit (principal, action, resource);\n";

async fn papers() -> (Folder, Service) {
    let folder = Folder::with(&[]);
    fs::create_dir_all(folder.domain("papers")).expect("a directory");
    folder.write("papers", "schema.cedarschema", SCHEMA);
    folder.write("papers", "papers.cedar", POLICIES);
    let policies = format!(
        "dir = \"{}\"\ntests = \"off\"\nproofs = \"off\"\n[access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display()
    );
    let service = Service::with_policies(TestDatabase::sqlite(), &policies).await;
    (folder, service)
}

fn read() -> Value {
    question(("person", "ann"), "read", ("paper", "p1"))
}

/// As the domain says it.
const TOO_LARGE: &str = "is too large";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_too_large_names_the_part_that_is() {
    let (_folder, service) = papers().await;
    let text = |length: usize| Value::from("x".repeat(length));
    for (pointer, name, value, is_too_large) in [
        ("/context", "seen", json!(vec![0; 999]), false),
        ("/context", "seen", json!(vec![0; 1_000]), true),
        ("/context", "about", text(64 * 1024 - 5), false),
        ("/context", "about", text(64 * 1024 - 4), true),
        ("/subject/properties", "seen", json!(vec![0; 1_000]), true),
        ("/resource/properties", "about", text(64 * 1024), true),
        ("/action/properties", "about", text(64 * 1024), true),
        ("/context", "undeclared", json!(vec![0; 50_000]), false),
        ("/subject/properties", "undeclared", text(500_000), false),
        (
            "/resource/properties",
            "undeclared",
            json!({"about": text(500_000)}),
            false,
        ),
    ] {
        let mut asked = read();
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        let parent = asked.pointer_mut(parent).expect("an object");
        parent[member] = json!({name: value});
        let answer = service.ask(&path("papers", "evaluation"), &asked).await;
        if is_too_large {
            assert_eq!(answer.status, 400, "{pointer} {name}");
            let details = &answer.json()["error"]["details"];
            assert_eq!(details[0]["field"], pointer, "{details}");
            assert!(details.to_string().contains(TOO_LARGE), "{details}");
        } else {
            assert_eq!(answer.ok()["decision"], json!(true), "{pointer} {name}");
        }
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evaluations_share_a_default_that_is_too_large_for_each() {
    let (_folder, service) = papers().await;
    let mut asked = read();
    let many: Map<String, Value> = (0..10_000)
        .map(|number| (format!("undeclared{number}"), json!(number)))
        .collect();
    asked["context"] = many.into();
    asked["evaluations"] = json!([{}, {"context": {"seen": vec![0; 1_000]}}, {"context": {}}]);
    let answer = service
        .ask(&path("papers", "evaluations"), &asked)
        .await
        .ok();
    let decisions = answer["evaluations"].as_array().expect("a list");
    let allowed: Vec<_> = decisions.iter().map(|it| it["decision"] == true).collect();
    assert_eq!(allowed, [true, false, true]);
    let reason = decisions[1]["context"]["reason"].as_str();
    assert!(
        reason.is_some_and(|it| it.contains(TOO_LARGE)),
        "{reason:?}"
    );
    service.stop().await;
}
