//! Who may ask, on which listener.

use charter::settings::Settings;
use charter_domain::permission::Permission;
use serde_json::json;
use test_support::service::{Anonymous, Persona, Service};
use test_support::services::TestDatabase;

use super::{EVALUATION, TOKEN, question};

const OPERATOR: &str = "an-operators-token-an-operators-token";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

async fn started() -> Service {
    let settings = format!(
        "[access]\nlisten = \"127.0.0.1:0\"\ntokens = [\"gateway:{TOKEN}\", \"other:{OTHER}\"]\n"
    );
    let operator = format!("ops_token = \"{OPERATOR}\"");
    Service::with_all(TestDatabase::sqlite(), &operator, &settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_listener_takes_its_tokens_and_the_main_one_knows_nothing_of_it() {
    let service = started().await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    let good = question(
        ("ServiceAccount", &reader.id),
        "organizations:GetOrganization",
        ("Organization", &organization),
    );
    let access = Anonymous::at(service.access_address().expect("a listener"));
    let operations = service.operator_side();
    let with = |side: &Anonymous, token: &str| {
        side.post(EVALUATION, good.clone())
            .header("authorization", &format!("Bearer {token}"))
    };
    for token in [TOKEN, OTHER] {
        assert_eq!(with(&access, token).await.ok(), json!({"decision": true}));
        assert_eq!(
            with(&operations, token).await.ok(),
            json!({"decision": true})
        );
    }
    assert_eq!(
        with(&operations, OPERATOR).await.ok(),
        json!({"decision": true})
    );
    with(&access, OPERATOR)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    for side in [&access, &operations] {
        side.post(EVALUATION, good.clone())
            .await
            .assert_refused(401, "MISSING_CREDENTIALS");
        for token in [
            "x",
            &TOKEN.replace('0', "1"),
            &format!("{TOKEN}0"),
            &TOKEN[1..],
            &format!("{TOKEN}{OTHER}"),
            "gateway",
        ] {
            with(side, token).await.assert_refused(401, "INVALID_TOKEN");
        }
        side.get("/.well-known/authzen-configuration")
            .await
            .assert_refused(401, "MISSING_CREDENTIALS");
        side.post(EVALUATION, good.clone())
            .header("authorization", "HMAC a:b")
            .await
            .assert_refused(401, "MALFORMED_AUTHORIZATION");
    }
    // Not for clients.
    let main = service.anonymous();
    with(&main, TOKEN).await.assert_refused(404, "NOT_FOUND");
    // The listener for gateways has nothing of the operators' one.
    access
        .get("/metrics")
        .await
        .assert_refused(404, "NOT_FOUND");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_question_is_answered_where_no_token_is_configured() {
    let service = Service::on(TestDatabase::sqlite()).await;
    let side = service.operator_side();
    for token in [TOKEN, "", "x"] {
        let asked = side
            .post(EVALUATION, json!({}))
            .header("authorization", &format!("Bearer {token}"))
            .await;
        assert_eq!(asked.status, 401);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metadata_names_the_endpoints() {
    let service = started().await;
    let access = Anonymous::at(service.access_address().expect("a listener"));
    let metadata = access
        .get("/.well-known/authzen-configuration")
        .header("authorization", &format!("Bearer {TOKEN}"))
        .await;
    let base = format!("http://{}", access.address());
    assert_eq!(
        metadata.ok(),
        json!({
            "policy_decision_point": base,
            "access_evaluation_endpoint": format!("{base}/access/v1/evaluation"),
            "access_evaluations_endpoint": format!("{base}/access/v1/evaluations"),
            "search_subject_endpoint": format!("{base}/access/v1/search/subject"),
            "search_resource_endpoint": format!("{base}/access/v1/search/resource"),
            "search_action_endpoint": format!("{base}/access/v1/search/action"),
        })
    );
    service.stop().await;
}

#[test]
fn tokens_of_the_settings_have_names_and_are_never_shown() {
    let read = |tokens: &str| {
        let name = "CHARTER__ACCESS__TOKENS".to_owned();
        Settings::from_sources("", [(name, tokens.to_owned())])
    };
    let settings = read(&format!("gateway:{TOKEN}, other:{OTHER}")).expect("settings");
    let shown = format!("{settings:?}");
    assert!(shown.contains("gateway") && shown.contains("other"));
    assert!(!shown.contains(TOKEN) && !shown.contains(OTHER));
    for bad in [
        TOKEN.to_owned(),
        format!("gateway:{}", &TOKEN[1..]),
        format!("Gateway:{TOKEN}"),
        format!(":{TOKEN}"),
        format!("operator:{TOKEN}"),
        format!("a:{TOKEN},a:{OTHER}"),
        // Of two clients it would not be clear which one asks.
        format!("a:{TOKEN},b:{TOKEN}"),
        format!("gateway:{TOKEN}!"),
    ] {
        let refused = read(&bad).expect_err("refused").to_string();
        assert!(refused.contains("access.tokens"), "{refused}");
        assert!(!refused.contains(&TOKEN[1..]), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_which_token_goes_where() {
    let service = started().await;
    let access = Anonymous::at(service.access_address().expect("a listener"));
    let operations = service.operator_side();
    let forward = "/access/v1/forward-auth";
    let ours = "x-charter-authorization";
    for (side, or_operator) in [(&access, ""), (&operations, ", or the operator token")] {
        let send = |header: &str| {
            format!(
                "send `{header}: Bearer {{token}}` with a token of `access.tokens`{or_operator}"
            )
        };
        let none = |header: &str| {
            format!("the token in `{header}` is none of `access.tokens`{or_operator}")
        };
        let evaluation = || side.post(EVALUATION, json!({}));
        for (request, message) in [
            (evaluation(), send("authorization")),
            (
                evaluation().header("authorization", "Basic eDp4"),
                send("authorization"),
            ),
            (
                evaluation().header("authorization", "HMAC a:b"),
                send("authorization"),
            ),
            (
                evaluation().header("authorization", &format!("Bearer {TOKEN}x")),
                none("authorization"),
            ),
            // The gateway's own token has a header of its own.
            (
                side.get(forward)
                    .header("authorization", &format!("Bearer {TOKEN}")),
                send(ours),
            ),
            (
                side.get(forward).header(ours, &format!("Bearer {TOKEN}x")),
                none(ours),
            ),
        ] {
            let refused = request.await;
            assert_eq!(refused.status, 401);
            assert_eq!(refused.json()["error"]["message"], json!(message));
        }
    }
    service.stop().await;
}
