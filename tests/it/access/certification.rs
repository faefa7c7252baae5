//! The certification scenario of the Authorization API 1.0 (openid/authzen,
//! `certification/authorization-api-1_0-scenario.md`), case by case, with the domain `records`.

use serde_json::{Value, json};
use test_support::service::{Persona, Service};
use test_support::services::TestDatabase;

use super::domains::{Folder, started};
use super::{Asks, TOKEN, ids};

const BASE: &str = "/domains/records/access/v1";

/// What must come back.
enum Expected {
    /// 200 with this decision.
    Decision(bool),
    /// 200 with these decisions, in order; `None` may be either.
    Decisions(Vec<Option<bool>>),
    /// 200 with results of this type that include these ids.
    Results(Option<&'static str>, Vec<&'static str>),
    /// 200 with no results.
    Nothing,
    /// This status.
    Status(u16),
}

use Expected::{Decision, Decisions, Nothing, Results, Status};

struct Case {
    /// As the scenario numbers it.
    number: &'static str,
    /// Below the domain's base.
    path: &'static str,
    sent: Value,
    expected: Expected,
}

fn case(number: &'static str, path: &'static str, sent: Value, expected: Expected) -> Case {
    Case {
        number,
        path,
        sent,
        expected,
    }
}

fn user(id: &str) -> Value {
    json!({"type": "user", "id": id})
}

fn record(id: &str) -> Value {
    json!({"type": "record", "id": id})
}

fn action(name: &str) -> Value {
    json!({"name": name})
}

fn archived() -> Value {
    json!({"type": "record", "id": "record-2", "properties": {"status": "archived"}})
}

fn admin() -> Value {
    json!({"type": "user", "id": "bob", "properties": {"role": "admin"}})
}

fn context() -> Value {
    json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"})
}

fn ask(subject: Value, action: Value, resource: Value) -> Value {
    json!({"subject": subject, "action": action, "resource": resource})
}

fn with(mut question: Value, name: &str, value: Value) -> Value {
    question[name] = value;
    question
}

fn without(mut question: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let part = question.pointer_mut(parent).and_then(Value::as_object_mut);
    part.expect("an object").remove(name);
    question
}

fn basic() -> Vec<Case> {
    let reads = || ask(user("alice"), action("read"), record("record-1"));
    let delete = |soft: bool| json!({"name": "delete", "properties": {"soft": soft}});
    let one = |number, sent, expected| case(number, "evaluation", sent, expected);
    vec![
        one("2.2.1", reads(), Decision(true)),
        one(
            "2.2.2",
            ask(user("bob"), action("write"), record("record-1")),
            Decision(false),
        ),
        one("2.2.3", with(reads(), "context", context()), Decision(true)),
        one(
            "2.2.4",
            ask(user("alice"), action("write"), archived()),
            Decision(false),
        ),
        one(
            "2.2.5",
            ask(admin(), action("write"), archived()),
            Decision(true),
        ),
        one(
            "2.2.6",
            ask(user("alice"), delete(true), record("record-1")),
            Decision(true),
        ),
        one(
            "2.2.7",
            ask(user("alice"), delete(false), record("record-1")),
            Decision(false),
        ),
        one(
            "2.2.8",
            json!({
                "subject": {
                    "type": "user", "id": "alice",
                    "properties": {"department": "Sales", "role": "manager"},
                },
                "action": {"name": "read", "properties": {"method": "GET"}},
                "resource": {
                    "type": "record", "id": "record-1",
                    "properties": {"status": "active", "owner": "bob"},
                },
            }),
            Decision(true),
        ),
        one(
            "2.2.9",
            with(
                with(reads(), "foo", json!("bar")),
                "futureField",
                json!({"nested": true}),
            ),
            Decision(true),
        ),
        // The other decisions that the fixture mandates (section 1.4, rules 2 and 3).
        one(
            "1.4 rule 2",
            ask(user("alice"), action("write"), record("record-1")),
            Decision(true),
        ),
        one(
            "1.4 rule 3",
            ask(user("bob"), action("read"), record("record-1")),
            Decision(true),
        ),
        one("2.4.1 subject", without(reads(), "/subject"), Status(400)),
        one("2.4.1 action", without(reads(), "/action"), Status(400)),
        one("2.4.1 resource", without(reads(), "/resource"), Status(400)),
        one(
            "2.4.2 subject.type",
            without(reads(), "/subject/type"),
            Status(400),
        ),
        one(
            "2.4.2 subject.id",
            without(reads(), "/subject/id"),
            Status(400),
        ),
        one(
            "2.4.2 action.name",
            without(reads(), "/action/name"),
            Status(400),
        ),
        one(
            "2.4.2 resource.type",
            without(reads(), "/resource/type"),
            Status(400),
        ),
        one(
            "2.4.2 resource.id",
            without(reads(), "/resource/id"),
            Status(400),
        ),
        one(
            "2.4.6 subject",
            with(reads(), "subject", json!("alice")),
            Status(400),
        ),
        one(
            "2.4.6 action.name",
            with(reads(), "action", json!({"name": 123})),
            Status(400),
        ),
    ]
}

fn batch() -> Vec<Case> {
    let many = |number, sent, expected| case(number, "evaluations", sent, expected);
    let reads = || ask(user("alice"), action("read"), record("record-1"));
    let active = || json!({"type": "record", "id": "record-1", "properties": {"status": "active"}});
    vec![
        many(
            "3.2.1",
            json!({
                "subject": user("alice"), "action": action("read"),
                "evaluations": [{"resource": record("record-1")}, {"resource": record("record-2")}],
            }),
            Decisions(vec![None, None]),
        ),
        many(
            "3.2.2",
            json!({
                "subject": user("bob"), "resource": record("record-1"),
                "evaluations": [{"action": action("read")}, {"action": action("write")}],
            }),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many(
            "3.2.3",
            json!({
                "subject": user("alice"), "action": action("write"),
                "evaluations": [{"resource": active()}, {"resource": archived()}],
            }),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many(
            "3.2.4",
            json!({
                "action": action("write"), "resource": archived(),
                "evaluations": [{"subject": user("alice")}, {"subject": admin()}],
            }),
            Decisions(vec![Some(false), Some(true)]),
        ),
        many(
            "3.2.5",
            json!({"evaluations": [
                reads(),
                ask(user("bob"), action("write"), record("record-1")),
            ]}),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many(
            "3.2.6",
            json!({
                "subject": user("alice"), "action": action("read"),
                "context": {"time": "2025-06-27T18:03-07:00"},
                "evaluations": [
                    {"resource": record("record-1")},
                    {
                        "resource": record("record-2"),
                        "context": {"time": "2025-06-27T19:00-07:00", "source": "batch-override"},
                    },
                ],
            }),
            Decisions(vec![None, None]),
        ),
        many(
            "3.2.7",
            json!({
                "subject": user("alice"), "action": action("write"), "resource": active(),
                "evaluations": [{}, {"resource": archived()}],
            }),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many(
            "3.4.1",
            json!({
                "subject": user("alice"), "action": action("read"),
                "options": {"evaluations_semantic": "execute_all"},
                "evaluations": [{"resource": record("record-1")}, {}],
            }),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many("3.4.2", reads(), Decision(true)),
        many(
            "3.4.3",
            with(reads(), "evaluations", json!([])),
            Decision(true),
        ),
    ]
}

fn searches() -> Vec<Case> {
    let (subject, resource, actions) = ("search/subject", "search/resource", "search/action");
    let readers = || ask(json!({"type": "user"}), action("read"), record("record-1"));
    let readable = || ask(user("alice"), action("read"), json!({"type": "record"}));
    let possible = || json!({"subject": user("alice"), "resource": record("record-1")});
    let both = || Results(Some("user"), vec!["alice", "bob"]);
    let first = || Results(Some("record"), vec!["record-1"]);
    vec![
        case("4.2.1", subject, readers(), both()),
        case(
            "4.2.2",
            subject,
            with(readers(), "context", context()),
            both(),
        ),
        case(
            "4.2.3",
            subject,
            with(readers(), "subject", user("alice")),
            both(),
        ),
        case(
            "4.2.4",
            subject,
            ask(json!({"type": "user"}), action("write"), archived()),
            Results(Some("user"), vec!["bob"]),
        ),
        case("4.3.1", resource, readable(), first()),
        case(
            "4.3.2",
            resource,
            with(readable(), "context", context()),
            first(),
        ),
        case(
            "4.3.3",
            resource,
            with(readable(), "resource", record("record-1")),
            first(),
        ),
        case(
            "4.3.4",
            resource,
            ask(admin(), action("write"), json!({"type": "record"})),
            Results(Some("record"), vec!["record-2"]),
        ),
        case(
            "4.4.1",
            actions,
            possible(),
            Results(None, vec!["read", "write"]),
        ),
        case(
            "4.4.2",
            actions,
            with(possible(), "context", context()),
            Results(None, vec!["read", "write"]),
        ),
        case(
            "4.4.3",
            actions,
            json!({"subject": admin(), "resource": archived()}),
            Results(None, vec!["write"]),
        ),
        case(
            "4.6.1 action",
            actions,
            with(possible(), "subject", user("nonexistent-user")),
            Nothing,
        ),
        case(
            "4.6.1 subject",
            subject,
            with(readers(), "resource", record("nonexistent-record")),
            Nothing,
        ),
        case(
            "4.6.1 resource",
            resource,
            with(readable(), "subject", user("nonexistent-user")),
            Nothing,
        ),
        case(
            "4.6.2 subject",
            subject,
            with(readers(), "subject", json!({"type": "spaceship"})),
            Nothing,
        ),
        case(
            "4.6.2 resource",
            resource,
            with(readable(), "resource", json!({"type": "spaceship"})),
            Nothing,
        ),
        case(
            "4.6.2 action",
            actions,
            with(
                possible(),
                "resource",
                json!({"type": "spaceship", "id": "1"}),
            ),
            Nothing,
        ),
        case(
            "4.7.1 subject",
            subject,
            without(readers(), "/action"),
            Status(400),
        ),
        case(
            "4.7.1 resource",
            resource,
            without(readable(), "/subject"),
            Status(400),
        ),
        case(
            "4.7.1 action",
            actions,
            without(possible(), "/resource"),
            Status(400),
        ),
        case(
            "4.7.2 subject",
            subject,
            without(readers(), "/resource/id"),
            Status(400),
        ),
        case(
            "4.7.2 resource",
            resource,
            without(readable(), "/subject/id"),
            Status(400),
        ),
        case(
            "4.7.2 action",
            actions,
            without(possible(), "/subject/id"),
            Status(400),
        ),
    ]
}

async fn check(service: &Service, case: &Case) {
    let number = case.number;
    let path = format!("{BASE}/{}", case.path);
    let answer = service.ask(&path, &case.sent).await;
    if let Status(status) = case.expected {
        assert_eq!(answer.status, status, "{number}: {}", answer.json());
        return;
    }
    assert_eq!(answer.status, 200, "{number}: {}", answer.json());
    let of = answer.header("content-type");
    assert!(
        of.is_some_and(|of| of.starts_with("application/json")),
        "{number}"
    );
    let body = answer.json();
    match &case.expected {
        Decision(expected) => assert_eq!(body, json!({"decision": expected}), "{number}"),
        Decisions(expected) => {
            let decisions = body["evaluations"].as_array().expect("an array");
            assert_eq!(decisions.len(), expected.len(), "{number}: {body}");
            for (decision, expected) in decisions.iter().zip(expected) {
                let decision = decision["decision"].as_bool();
                assert!(decision.is_some(), "{number}: {body}");
                assert!(
                    expected.is_none() || *expected == decision,
                    "{number}: {body}"
                );
            }
        }
        Results(of, included) => {
            let found = ids(&answer);
            for id in included {
                assert!(found.iter().any(|found| found == id), "{number}: {body}");
            }
            for result in body["results"].as_array().expect("an array") {
                assert_eq!(result.get("type").and_then(Value::as_str), *of, "{number}");
            }
        }
        Nothing => assert_eq!(body["results"], json!([]), "{number}"),
        Status(_) => {}
    }
    // 2.6: the same again.
    let again = service.ask(&path, &case.sent).await;
    assert_eq!(again.json(), body, "{number}, again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_scenario() {
    let folder = Folder::with(&["records"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let cases: Vec<Case> = [basic(), batch(), searches()]
        .into_iter()
        .flatten()
        .collect();
    for case in &cases {
        check(&service, case).await;
    }
    let good = &cases[0].sent;
    let path = format!("{BASE}/evaluation");
    // 2.4.3 to 2.4.5.
    for (of, body) in [
        ("text/plain", good.to_string()),
        ("application/json", "{\"subject\":".to_owned()),
        ("application/json", String::new()),
    ] {
        let answer = super::raw(&service, &path, of, &body).await;
        assert_eq!(answer.status, 400, "{of}: {body}");
    }
    // 2.5.
    let echoed = service.ask(&path, good).header("x-request-id", "a-1/b:2");
    assert_eq!(echoed.await.header("x-request-id"), Some("a-1/b:2"));
    service.ask(&path, good).await.ok();
    // 4.5.
    let search = format!("{BASE}/search/subject");
    let mut question = ask(json!({"type": "user"}), action("read"), record("record-1"));
    question["page"] = json!({"limit": 1});
    let first = service.ask(&search, &question).await;
    assert_eq!(ids(&first), ["alice"]);
    let token = first.ok()["page"]["next_token"].clone();
    assert_ne!(token, json!(""));
    question["page"] = json!({"token": token});
    let second = service.ask(&search, &question).await;
    assert_eq!(ids(&second), ["bob"]);
    assert!(second.ok()["page"]["next_token"].is_string());
    // 6.
    let metadata = service
        .operator_side()
        .get("/.well-known/authzen-configuration/domains/records")
        .header("authorization", &format!("Bearer {TOKEN}"))
        .await
        .ok();
    let base = format!(
        "http://{}/domains/records",
        service.operator_side().address()
    );
    assert_eq!(metadata["policy_decision_point"], json!(base));
    let endpoint = format!("{base}/access/v1/evaluation");
    assert_eq!(metadata["access_evaluation_endpoint"], json!(endpoint));
    service.stop().await;
}
