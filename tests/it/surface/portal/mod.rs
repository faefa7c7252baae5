//! The portal surface (contract section 5).

mod circle;
mod deactivation;
mod invitations;
mod limits;
mod links;
mod machine;
mod organization;
mod origin;
mod own;
mod passwords;
mod refresh;
mod registration;
mod roles;
mod settings;
mod sign_in;
mod team;
mod team_invitations;
mod team_roles;
mod tokens;
mod verification;

use charter_domain::id::DecisionId;
use charter_policy::explain::explain_record;
use serde_json::json;
use test_support::client::Answer;
use test_support::service::Service;

const ORGANIZATION: &str = "/api/portal/organization";
const SETTINGS: &str = "/api/portal/organization/settings";
pub(crate) const DEACTIVATE: &str = "/api/portal/organization/deactivate";
const TEAM: &str = "/api/portal/team";

/// A guardrail refuses, on record and explainable.
#[track_caller]
fn assert_refused_by_policy(service: &Service, answer: &Answer, code: &str, policy: &str) {
    answer.assert_refused(403, code);
    let error = &answer.json()["error"];
    let id = error["decision_id"].as_str().expect("a decision");
    let id: DecisionId = id.parse().expect("an id");
    let record = service.state().decision_lookup.find(id).expect("readable");
    let record = record.expect("on record");
    let explained = explain_record(&service.state().engine.snapshot(), &record).expect("explained");
    assert_eq!(explained.code.as_deref(), Some(code));
    let explained = serde_json::to_value(explained).expect("JSON");
    let determining = explained["determining"].as_array().expect("a list");
    assert!(
        determining.iter().any(|it| it["policy"] == json!(policy)),
        "{explained}"
    );
}
