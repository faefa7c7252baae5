//! `POST /policies/diff` and `POST /policies/replay`: what a folder that is sent would change.

use std::time::Duration;

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::policy_solver::{played, solver};
use test_support::policy_world::whole_copy_of_shipped;
use test_support::polling::{found, until};
use test_support::service::{Persona as _, Service};
use test_support::services::TestDatabase;

use super::events::Events;
use super::{post, serve, shipped};

/// Members may invite: they may not as shipped.
const WIDER: &str = "@id(\"wider\")\npermit (principal in Role::\"member\", action == Action::\"team:InviteMember\", resource is Organization);\n";
const NARROWER: &str = "@id(\"narrower\")\nforbid (principal, action == Action::\"organizations:GetOrganization\", resource);\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diff_tells_each_permission_with_an_example() {
    if solver().is_none() {
        return;
    }
    let service = shipped(TestDatabase::sqlite()).await;
    let changes = json!({"changes": {"wider.cedar": WIDER, "narrower.cedar": NARROWER}});
    let (event, _) = Events::of(&service, "/policies/diff", &changes)
        .await
        .last()
        .await;
    assert_eq!(event.name, "result", "{event:?}");
    let told = &event.data;
    assert_eq!(
        told["old_digest"],
        json!(**service.state().engine.snapshot().digest())
    );
    assert_eq!(told["is_wider"], true);
    let invite = &told["permissions"]["team:InviteMember"];
    assert_eq!(invite["direction"], "wider", "{told}");
    let example = &invite["wider"][0]["example"];
    assert_eq!(example["is_allowed"], true);
    assert_eq!(
        example["new"],
        json!([{"policy": "wider", "place": "wider.cedar:1"}])
    );
    assert!(
        example["request"]["principal"]
            .as_str()
            .is_some_and(|it| it.starts_with("User::"))
    );
    assert_eq!(
        told["permissions"]["organizations:GetOrganization"]["direction"],
        "narrower"
    );
    assert_eq!(
        told["permissions"]["team:ListMembers"]["direction"],
        "equal"
    );
    let roles = told["roles"].as_array().expect("a table");
    let row = roles
        .iter()
        .find(|row| row["permission"] == "team:InviteMember");
    let cells = row.expect("a row")["roles"]
        .as_array()
        .expect("cells")
        .clone();
    let member = cells
        .iter()
        .find(|cell| cell["role"] == "member" && cell["holder"] == "person");
    assert_eq!(member.expect("a cell")["is"], "gained", "{cells:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_compared_where_there_is_no_solver() {
    let folder = whole_copy_of_shipped();
    let service = serve(folder.path(), "solver = \"/nowhere/cvc5\"").await;
    let changes = json!({"changes": {"wider.cedar": WIDER}});
    let (event, _) = Events::of(&service, "/policies/diff", &changes)
        .await
        .last()
        .await;
    assert_eq!(event.name, "result", "{event:?}");
    assert!(
        event.data["not_compared"]
            .as_str()
            .is_some_and(|it| it.contains("/nowhere/cvc5"))
    );
    assert!(event.data["roles"].is_array());
    assert_eq!(event.data["permissions"], Value::Null);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_lists_the_decisions_that_would_flip() {
    let service = shipped(TestDatabase::sqlite()).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    for _ in 0..3 {
        reader.get("/organizations/info").await.ok();
    }
    reader
        .get("/accounts")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    assert!(service.state().decisions.flush(Duration::from_mins(1)));
    let changes = json!({"changes": {"narrower.cedar": NARROWER}});
    let events = Events::of(&service, "/policies/replay", &changes).await;
    let (event, _) = events.last().await;
    assert_eq!(event.name, "result", "{event:?}");
    let report = &event.data["report"];
    assert_eq!(
        (&report["decisions"], &report["flips"]),
        (&json!(4), &json!(3)),
        "{report}"
    );
    let group = &report["groups"][0];
    assert_eq!(group["direction"], "narrower");
    assert_eq!(group["permission"], "organizations:GetOrganization");
    assert_eq!(
        group["principal"],
        format!("ServiceAccount::\"{}\"", reader.id)
    );
    assert_eq!(group["examples"][0]["now"], "forbidden by `narrower`");
    service.stop().await;
}

async fn slow(service: &Service) -> Events {
    let changes = json!({"changes": {"wider.cedar": WIDER}});
    let mut events = Events::of(service, "/policies/diff", &changes).await;
    assert_eq!(events.next().await.name, "progress");
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_at_a_time_and_it_ends_when_its_client_goes() {
    let (_, solver) = played("echo $$ > \"$(dirname \"$0\")/started\"; exec sleep 600");
    let folder = whole_copy_of_shipped();
    let settings = format!("solver = \"{}\"", solver.path().join("cvc5").display());
    let service = serve(folder.path(), &settings).await;
    let events = slow(&service).await;
    let changes = json!({"changes": {"wider.cedar": WIDER}});
    for target in ["/policies/diff", "/policies/replay"] {
        let busy = post(&service, target, &changes).await;
        busy.assert_refused(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!(busy.header("retry-after"), Some("5"));
    }
    // Other questions are answered meanwhile.
    super::get(&service, "/policies?without_texts=true")
        .await
        .ok();
    let started = solver.path().join("started");
    let process = found("the solver has started", async || {
        let text = std::fs::read_to_string(&started).ok()?;
        Some(text.strip_suffix('\n')?.to_owned())
    })
    .await;
    let runs = || {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
        state.is_some_and(|state| !state.starts_with(['Z', 'X']))
    };
    assert!(runs(), "the solver is at work");
    drop(events);
    until("the solver is gone", async || !runs()).await;
    // The next one has its turn, as soon as the processes are seen to be gone.
    let next = found("the next one has its turn", async || {
        Events::unless_busy(&service, "/policies/replay", &changes).await
    })
    .await;
    assert_eq!(next.last().await.0.name, "result");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_the_stream_and_says_so() {
    let (_, solver) = played("exec sleep 600");
    let folder = whole_copy_of_shipped();
    let settings = format!("solver = \"{}\"", solver.path().join("cvc5").display());
    let service = serve(folder.path(), &settings).await;
    let events = slow(&service).await;
    let (told, ()) = tokio::join!(events.last(), service.stop());
    let (event, _) = told;
    assert_eq!(event.name, "error");
    assert_eq!(event.data["error"]["code"], "UNAVAILABLE", "{event:?}");
    assert!(event.data["error"]["request_id"].is_string());
}
