//! The policy decision point (contract section 7): `AuthZEN` Authorization API 1.0.

mod approved;
mod built_in;
mod certification;
mod certification_cases;
mod certification_searches;
mod domain_folders;
mod domain_searches;
mod domain_stops;
pub(crate) mod domains;
mod every_domain;
mod foreign_client;
mod forward_auth;
mod forwarded_form;
mod forwarded_writes;
mod interop;
pub(crate) mod interop_domains;
mod limits;
mod one_entity;
mod page_tokens;
mod protocol;
mod record_searches;
mod recorded;
mod replicas;
mod restarts;
mod search;
mod spellings;
mod store_records;
mod tokens;

use serde_json::{Value, json};
use test_support::client::Answer;
use test_support::service::{Anonymous, Persona, Request, Service};
use test_support::services::TestDatabase;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const EVALUATION: &str = "/access/v1/evaluation";
pub(crate) const EVALUATIONS: &str = "/access/v1/evaluations";

/// A service that `gateway` may ask.
pub(crate) async fn service(database: TestDatabase) -> Service {
    let access = format!("[access]\ntokens = [\"gateway:{TOKEN}\"]\n");
    Service::with(database, &access).await
}

pub(crate) trait Asks {
    fn side(&self) -> Anonymous;

    fn ask(&self, path: &str, question: &Value) -> Request {
        self.side()
            .post(path, question.clone())
            .header("authorization", &format!("Bearer {TOKEN}"))
    }
}

/// A question as bytes of some type.
pub(crate) fn raw(service: &Service, path: &str, of: &str, body: &str) -> Request {
    service
        .operator_side()
        .ask("POST", path)
        .typed(of, body)
        .header("authorization", &format!("Bearer {TOKEN}"))
}

impl Asks for Service {
    fn side(&self) -> Anonymous {
        self.operator_side()
    }
}

pub(crate) fn question(subject: (&str, &str), action: &str, resource: (&str, &str)) -> Value {
    json!({
        "subject": {"type": subject.0, "id": subject.1},
        "action": {"name": action},
        "resource": {"type": resource.0, "id": resource.1},
    })
}

/// The decision, which comes alone.
pub(crate) async fn decision(service: &Service, question: &Value) -> bool {
    let answer = service.ask(EVALUATION, question).await.ok();
    assert_eq!(
        answer.as_object().map(serde_json::Map::len),
        Some(1),
        "{answer}"
    );
    answer["decision"].as_bool().expect("a decision")
}

/// The ids of a search's results.
pub(crate) fn ids(answer: &Answer) -> Vec<String> {
    let answer = answer.ok();
    let results = answer["results"].as_array().expect("results");
    let id = |result: &Value| result.get("id").or_else(|| result.get("name")).cloned();
    results
        .iter()
        .map(|result| id(result).and_then(|id| id.as_str().map(str::to_owned)))
        .map(|id| id.expect("an id"))
        .collect()
}

/// Every result of a search, page by page.
pub(crate) async fn all_ids(service: &Service, path: &str, question: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut question = question.clone();
    loop {
        let answer = service.ask(path, &question).await;
        all.extend(ids(&answer));
        let token = answer.ok()["page"]["next_token"].clone();
        match token.as_str().expect("a token") {
            "" => return all,
            token => question["page"]["token"] = json!(token),
        }
    }
}
