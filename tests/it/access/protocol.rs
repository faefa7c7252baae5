//! What the protocol takes and refuses, whoever answers.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::client::send;
use test_support::service::{Persona as _, Service};
use test_support::services::TestDatabase;

use super::{Asks, EVALUATION, EVALUATIONS, TOKEN, question, raw, service};

/// A question that is answered with true, and one that is not.
async fn questions(service: &Service) -> (Value, Value) {
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    let of = |action| {
        question(
            ("ServiceAccount", &reader.id),
            action,
            ("Organization", &organization),
        )
    };
    (
        of("organizations:GetOrganization"),
        of("organizations:UpdateOrganization"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_question_is_a_400() {
    let service = service(TestDatabase::sqlite()).await;
    let (good, _) = questions(&service).await;
    for path in [EVALUATION, EVALUATIONS] {
        for name in ["subject", "action", "resource"] {
            let mut missing = good.clone();
            missing.as_object_mut().expect("an object").remove(name);
            let refused = service.ask(path, &missing).await;
            refused.assert_refused(400, "MISSING_FIELD");
        }
        for pointer in [
            "/subject/type",
            "/subject/id",
            "/action/name",
            "/resource/type",
            "/resource/id",
        ] {
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            let mut missing = good.clone();
            let part = missing.pointer_mut(parent).and_then(Value::as_object_mut);
            part.expect("an object").remove(name);
            service
                .ask(path, &missing)
                .await
                .assert_refused(400, "MISSING_FIELD");
            for wrong in [json!(7), json!(null), json!(["x"])] {
                let mut typed = good.clone();
                *typed.pointer_mut(pointer).expect("it is there") = wrong;
                service
                    .ask(path, &typed)
                    .await
                    .assert_refused(400, "WRONG_TYPE");
            }
        }
        for (name, wrong) in [
            ("subject", json!("alice")),
            ("action", json!(["read"])),
            ("resource", json!(null)),
            ("context", json!("now")),
            (
                "subject",
                json!({"type": "x", "id": "y", "properties": null}),
            ),
            ("context", json!(null)),
            ("options", json!(true)),
            ("options", json!({"explain": "yes"})),
        ] {
            let mut typed = good.clone();
            typed[name] = wrong;
            service
                .ask(path, &typed)
                .await
                .assert_refused(400, "WRONG_TYPE");
        }
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_one_json_object_is_a_400_whatever_its_type() {
    let service = service(TestDatabase::sqlite()).await;
    let (good, _) = questions(&service).await;
    let text = good.to_string();
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let doubled = text.replacen("\"action\":", "\"subject\":{},\"action\":", 1);
    for body in ["", " ", "{", "[]", "null", "\"x\"", "{}{}", &deep, &doubled] {
        for of in ["application/json", "text/plain", "application/xml"] {
            let refused = raw(&service, EVALUATION, of, body).await;
            assert_eq!(refused.status, 400, "{of}: {body}");
        }
    }
    // JSON that claims to be something else, or nothing.
    for of in ["text/plain", "application/xml", ""] {
        let refused = raw(&service, EVALUATION, of, &text).await;
        refused.assert_refused(400, "MALFORMED_JSON");
    }
    let charset = "application/json; charset=utf-8";
    let taken = raw(&service, EVALUATION, charset, &text).await;
    assert_eq!(taken.ok(), json!({"decision": true}));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_members_are_ignored_and_request_ids_come_back() {
    let service = service(TestDatabase::sqlite()).await;
    let (mut good, _) = questions(&service).await;
    good["foo"] = json!("bar");
    good["futureField"] = json!({"nested": true});
    good["subject"]["more"] = json!([1]);
    good["action"]["properties"] = json!({"soft": true});
    good["options"] = json!({"another_option": "value"});
    for id in [
        "bfe9eb29-ab87-4ca3-be83-a1d5d8305716",
        "any string: even / this one?",
        "x",
        // Two bytes beyond ASCII each, in UTF-8.
        "Anfrage fünf №",
    ] {
        let answer = service
            .ask(EVALUATION, &good)
            .header("x-request-id", id)
            .await;
        assert_eq!(answer.ok(), json!({"decision": true}));
        assert_eq!(answer.header("x-request-id"), Some(id));
        assert_eq!(
            answer.header("content-type"),
            Some("application/json; charset=utf-8")
        );
    }
    let twice = service
        .ask(EVALUATION, &good)
        .header("x-request-id", "the first")
        .header("x-request-id", "the second");
    assert_eq!(twice.await.header("x-request-id"), Some("the first"));
    // Whatever is answered: also where no route, no method, no domain, no host and no canonical target is.
    let id = "any string: even / this one?";
    for (method, path, status) in [
        ("PUT", EVALUATION, 405),
        ("POST", "/access/v1/nothing", 404),
        ("POST", "/access/v1/evaluation/", 400),
        ("POST", "/domains/nowhere/access/v1/evaluation", 404),
        ("POST", "/domains/nowhere/access/v1/evaluation/", 400),
        ("DELETE", "/.well-known/authzen-configuration", 405),
    ] {
        let request = service.operator_side().ask(method, path);
        let request = request.header("authorization", &format!("Bearer {TOKEN}"));
        let answer = request.header("x-request-id", id).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("x-request-id"), Some(id), "{method} {path}");
        assert_eq!(answer.header("x-correlation-id"), Some(id));
        assert_ne!(answer.json()["error"]["request_id"], id);
    }
    let address = service.operations_address();
    let without_host = format!("POST {EVALUATION} HTTP/1.1\r\nx-request-id: {id}\r\n\r\n");
    let answer = send(address, without_host).await;
    assert_eq!(
        (answer.status, answer.header("x-request-id")),
        (400, Some(id))
    );
    // Elsewhere only well-formed ones do.
    let elsewhere = service
        .operator_side()
        .get("/healthz")
        .header("x-request-id", id);
    assert_ne!(elsewhere.await.header("x-request-id"), Some(id));
    assert!(
        service
            .ask(EVALUATION, &good)
            .await
            .header("x-request-id")
            .is_some()
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evaluations_have_defaults_and_semantics() {
    let service = service(TestDatabase::sqlite()).await;
    let (yes, no) = questions(&service).await;
    let item = |of: &Value| json!({"action": of["action"]});
    let batch = |items: &[Value], semantic: Option<&str>| {
        let mut batch = json!({
            "subject": yes["subject"], "resource": yes["resource"], "evaluations": items,
        });
        if let Some(semantic) = semantic {
            batch["options"] = json!({"evaluations_semantic": semantic});
        }
        batch
    };
    let decisions = async |batch: &Value| -> Vec<bool> {
        let answer = service.ask(EVALUATIONS, batch).await.ok();
        assert!(answer.get("decision").is_none(), "{answer}");
        let evaluations = answer["evaluations"].as_array().expect("an array");
        let decision = |it: &Value| it["decision"].as_bool().expect("a decision");
        evaluations.iter().map(decision).collect()
    };
    let (y, n) = (item(&yes), item(&no));
    for (items, semantic, expected) in [
        (vec![&y, &n, &y], None, vec![true, false, true]),
        (
            vec![&y, &n, &y],
            Some("execute_all"),
            vec![true, false, true],
        ),
        (
            vec![&y, &n, &y],
            Some("deny_on_first_deny"),
            vec![true, false],
        ),
        (vec![&y, &y], Some("deny_on_first_deny"), vec![true, true]),
        (
            vec![&n, &y, &n],
            Some("permit_on_first_permit"),
            vec![false, true],
        ),
        (
            vec![&n, &n],
            Some("permit_on_first_permit"),
            vec![false, false],
        ),
    ] {
        let items: Vec<Value> = items.into_iter().cloned().collect();
        assert_eq!(
            decisions(&batch(&items, semantic)).await,
            expected,
            "{semantic:?}"
        );
    }
    // Whole defaults, nothing merged: this resource has no id.
    let half = json!({"action": yes["action"], "resource": {"type": "Organization"}});
    let broken = batch(&[y.clone(), half, json!(7), json!({}), y.clone()], None);
    let answer = service.ask(EVALUATIONS, &broken).await.ok();
    let reasons: Vec<Option<&str>> = (0..5)
        .map(|at| answer["evaluations"][at]["context"]["reason"].as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            None,
            Some("`resource.id` is missing"),
            Some("`evaluations` must be an array of objects"),
            Some("`action` is missing"),
            None
        ]
    );
    assert_eq!(decisions(&broken).await, [true, false, false, false, true]);
    let stops = batch(&[json!({}), y.clone()], Some("deny_on_first_deny"));
    assert_eq!(decisions(&stops).await, [false]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evaluations_that_are_none_or_too_many_or_malformed() {
    let service = service(TestDatabase::sqlite()).await;
    let (yes, _) = questions(&service).await;
    let y = json!({"action": yes["action"]});
    let batch = |items: &[Value]| json!({"subject": yes["subject"], "resource": yes["resource"], "evaluations": items});
    // Without evaluations it is one.
    for evaluations in [None, Some(json!([]))] {
        let mut one = yes.clone();
        if let Some(evaluations) = evaluations {
            one["evaluations"] = evaluations;
        }
        assert_eq!(
            service.ask(EVALUATIONS, &one).await.ok(),
            json!({"decision": true})
        );
    }
    for (name, wrong) in [
        ("evaluations", json!({})),
        ("evaluations", json!("x")),
        ("options", json!({"evaluations_semantic": "some"})),
        ("options", json!({"evaluations_semantic": 1})),
        ("subject", json!("x")),
    ] {
        let mut typed = batch(std::slice::from_ref(&y));
        typed[name] = wrong;
        assert_eq!(
            service.ask(EVALUATIONS, &typed).await.status,
            400,
            "{typed}"
        );
    }
    let thousand = vec![y.clone(); 1_000];
    let answer = service.ask(EVALUATIONS, &batch(&thousand)).await.ok();
    let all = vec![json!({"decision": true}); 1_000];
    assert_eq!(answer["evaluations"], json!(all));
    let more = vec![y; 1_001];
    let refused = service.ask(EVALUATIONS, &batch(&more)).await;
    refused.assert_refused(400, "BAD_PARAMETER");
    service.stop().await;
}
