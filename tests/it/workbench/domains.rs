//! What the workbench shows and answers of domains of one's own.

use serde_json::{Value, json};
use test_support::policy_solver::solver;
use test_support::service::{Grants, Service};

use super::events::Events;
use super::{get, post, serve};
use crate::access::domains::{Folder, until};
use crate::access::{Asks as _, question};

impl Folder {
    async fn served(&self) -> Service {
        self.served_with("").await
    }

    /// With further settings in `[policies]`.
    async fn served_with(&self, more: &str) -> Service {
        let access = format!(
            "{more}\n[access]\ntokens = [\"gateway:{}\"]\n",
            crate::access::TOKEN
        );
        serve(&self.path(), &access).await
    }
}

const WIDER: &str = "@id(\"wider\")\npermit (principal, action == Action::\"write\", resource);\n";

fn of_records(mut question: Value) -> Value {
    question["domain"] = json!("records");
    question
}

fn write(record: &str) -> Value {
    of_records(question(("user", "alice"), "write", ("record", record)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_explained_by_the_domain_or_a_folder_sent_along() {
    let folder = Folder::with(&["records"]);
    let service = folder.served().await;
    let ask = async |question: &Value| post(&service, "/policies/evaluation", question).await;
    let shown = ask(&write("record-1")).await.ok();
    assert_eq!(
        (&shown["decision"], &shown["policies"]["are"]),
        (&json!(true), &json!("in_force"))
    );
    let denied = ask(&write("record-2")).await.ok();
    assert_eq!(denied["decision"], false);
    let nearest = &denied["explanation"]["nearest"][0];
    assert_eq!(
        (&nearest["policy"], &nearest["file"]),
        (&json!("records:write"), &json!("records.cedar"))
    );
    let mut with = write("record-2");
    with["changes"] = json!({"wider.cedar": WIDER});
    let wider = ask(&with).await.ok();
    assert_eq!(
        (&wider["decision"], &wider["policies"]["are"]),
        (&json!(true), &json!("sent"))
    );
    let by = &wider["explanation"]["determining"][0];
    assert_eq!(
        (&by["policy"], &by["file"]),
        (&json!("wider"), &json!("wider.cedar"))
    );
    // What a request says counts as in the decision point.
    let mut new = write("new");
    assert_eq!(ask(&new).await.ok()["explanation"], Value::Null);
    new["resource"]["properties"] = json!({"status": "active"});
    assert_eq!(ask(&new).await.ok()["decision"], true);
    new["resource"]["properties"] = json!({"status": 7});
    let broken = ask(&new).await.broken_on_portal();
    assert_eq!(broken, ["/resource/properties/status"]);
    with["changes"] = json!({"wider.cedar": "permit ("});
    let broken = ask(&with).await.broken_on_portal();
    assert_eq!(broken, ["/changes/wider.cedar"]);
    for (member, value) in [("domain", json!("todo")), ("policies", json!("shadow"))] {
        let mut other = write("record-1");
        other[member] = value;
        let broken = ask(&other).await.broken_on_portal();
        assert_eq!(broken, [format!("/{member}")]);
    }
    let mut unknown = write("record-1");
    unknown["more"] = json!(1);
    ask(&unknown).await.assert_refused(400, "UNKNOWN_FIELD");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shadow_of_a_domain_is_shown_and_asked() {
    let (folder, shadow) = (
        Folder::with(&["records", "todo"]),
        Folder::with(&["records"]),
    );
    shadow.write("records", "wider.cedar", WIDER);
    let more = format!("shadow = \"{}\"", shadow.path().display());
    let service = folder.served_with(&more).await;
    let shown = loop {
        let shown = get(&service, "/policies?domain=records").await.ok();
        if !shown["shadow"].is_null() {
            break shown;
        }
    };
    let of_shadow = &shown["shadow"];
    assert_ne!(of_shadow["digest"], shown["in_force"]["digest"]);
    assert_eq!(of_shadow["fault"], Value::Null);
    let changed = of_shadow["changed"].as_array().expect("a list");
    let changed: Vec<&Value> = changed.iter().map(|file| &file["name"]).collect();
    assert_eq!(changed, ["wider.cedar"]);
    let ids = of_shadow["policies"].as_array().expect("a list").iter();
    assert!(
        ids.clone().any(|policy| policy["id"] == "wider"),
        "{of_shadow}"
    );
    let of_shadow = |mut question: Value| {
        question["policies"] = json!("shadow");
        question
    };
    let ask = async |question: &Value| post(&service, "/policies/evaluation", question).await;
    assert_eq!(ask(&write("record-2")).await.ok()["decision"], false);
    let asked = ask(&of_shadow(write("record-2"))).await.ok();
    assert_eq!(
        (&asked["decision"], &asked["policies"]["are"]),
        (&json!(true), &json!("shadow"))
    );
    assert_eq!(
        asked["explanation"]["determining"][0]["file"],
        "wider.cedar"
    );
    let mut what = write("record-1");
    what["resource"] = json!({"type": "record"});
    let list = async |question: &Value| post(&service, "/policies/access", question).await.ok();
    let (now, then) = (list(&what).await, list(&of_shadow(what)).await);
    let count = |listed: &Value| listed["results"].as_array().map(Vec::len);
    assert!(count(&then) > count(&now), "{then}");
    // A broken one is told of, and what was loaded stays.
    shadow.write("records", "wider.cedar", "permit (");
    loop {
        let shown = get(&service, "/policies?domain=records").await.ok();
        if shown["shadow"]["fault"]
            .as_str()
            .is_some_and(|it| it.contains("wider.cedar"))
        {
            break;
        }
    }
    let asked = ask(&of_shadow(write("record-2"))).await.ok();
    assert_eq!(asked["decision"], true);
    // A domain that the shadow does not have.
    let shown = get(&service, "/policies?domain=todo").await.ok();
    assert_eq!(shown["shadow"], Value::Null);
    let mut other = of_shadow(write("record-1"));
    other["domain"] = json!("todo");
    assert_eq!(ask(&other).await.broken_on_portal(), ["/policies"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subjects_resources_and_actions_are_searched_in_the_domain() {
    let folder = Folder::with(&["records"]);
    let service = folder.served().await;
    let list = async |question: &Value| post(&service, "/policies/access", question).await;
    let mut who = write("record-1");
    who["subject"] = json!({"type": "user"});
    let shown = list(&who).await.ok();
    assert_eq!(shown["next_cursor"], Value::Null);
    let results = shown["results"].as_array().expect("a list").clone();
    let search = "/domains/records/access/v1/search/subject";
    let found = service.ask(search, &who).await.ok();
    let subjects: Vec<Value> = results.iter().map(|it| it["subject"].clone()).collect();
    assert_eq!(json!(subjects), found["results"]);
    assert_eq!(results[0]["action"], "write");
    assert_eq!(results[0]["policies"], json!(["records:write"]));
    let mut what = write("record-1");
    what["resource"] = json!({"type": "record"});
    let records = list(&what).await.ok()["results"].clone();
    assert_eq!(
        records[0]["resource"],
        json!({"type": "record", "id": "record-1"})
    );
    let mut actions = write("record-1");
    actions.as_object_mut().expect("an object").remove("action");
    let actions = list(&actions).await.ok()["results"].clone();
    let names = actions.as_array().expect("a list").iter();
    let names: Vec<&Value> = names.map(|it| &it["action"]).collect();
    assert!(names.contains(&&json!("write")), "{names:?}");
    // Of another folder, and what leaves nothing or too much open.
    what["changes"] = json!({"wider.cedar": WIDER});
    let wider = list(&what).await.ok()["results"].clone();
    assert!(wider.as_array().map(Vec::len) > records.as_array().map(Vec::len));
    assert_eq!(
        list(&write("record-1")).await.broken_on_portal(),
        ["/subject"]
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_the_store_are_searched_in_the_organization_that_is_named() {
    let folder = Folder::with(&["gateway"]);
    let service = folder.served().await;
    let list = async |question: &Value| post(&service, "/policies/access", question).await;
    let member = || Grants {
        roles: &["member"],
        ..Grants::default()
    };
    let acme = service.organization("acme").await;
    let reader = acme.signer_with(member()).await;
    acme.signer(&[]).await;
    service
        .organization("other")
        .await
        .signer_with(member())
        .await;
    let account = ("Charter::ServiceAccount", "");
    let mut who = question(account, "billing:ReadInvoice", ("Invoice", "7"));
    who["domain"] = json!("gateway");
    let subject = who["subject"].as_object_mut().expect("an object");
    subject.remove("id");
    let place = "/subject/properties/organization";
    assert_eq!(list(&who).await.broken_on_portal(), [place]);
    let organization = acme.organization.id.to_string();
    let named = json!({"type": "Charter::Organization", "id": organization});
    who["subject"]["properties"] = json!({"organization": named});
    let shown = list(&who).await.ok();
    assert_eq!(shown["next_cursor"], Value::Null);
    assert_eq!(
        shown["results"],
        json!([{
            "subject": {"type": "Charter::ServiceAccount", "id": reader.id},
            "action": "billing:ReadInvoice",
            "resource": {"type": "Invoice", "id": "7"},
            "policies": ["billing:service-accounts-read"],
        }])
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_compared_with_the_domain_and_its_decisions() {
    if solver().is_none() {
        return;
    }
    let folder = Folder::with(&["records"]);
    let service = folder.served().await;
    let asked = question(("user", "alice"), "write", ("record", "record-2"));
    let decided = service.ask("/domains/records/access/v1/evaluation", &asked);
    assert_eq!(decided.await.ok()["decision"], false);
    assert!(
        service
            .state()
            .decisions
            .flush(std::time::Duration::from_mins(1))
    );
    let sent = json!({"domain": "records", "changes": {"wider.cedar": WIDER}});
    let result = async |target| {
        let (event, _) = Events::of(&service, target, &sent).await.last().await;
        assert_eq!(event.name, "result", "{event:?}");
        event.data
    };
    let diff = result("/policies/diff").await;
    let example = &diff["permissions"]["write"]["wider"][0]["example"];
    assert_eq!(
        (&diff["is_wider"], &diff["roles"], &example["new"]),
        (
            &json!(true),
            &Value::Null,
            &json!([{"policy": "wider", "place": "wider.cedar:1"}])
        )
    );
    let replay = result("/policies/replay").await;
    let flip = &replay["report"]["groups"][0];
    assert_eq!(
        (&flip["domain"], &flip["direction"]),
        (&json!("records"), &json!("wider")),
        "{replay}"
    );
    let coverage = get(&service, "/policies/coverage?domain=records")
        .await
        .ok();
    assert!(coverage["examples"]["total"].as_u64() > Some(0));
    assert_eq!(coverage["decided"]["policies"], json!({}));
    let other = get(&service, "/policies/coverage?domain=todo").await;
    assert_eq!(other.status, 400);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_in_force_and_earlier_ones_are_shown() {
    let folder = Folder::with(&["records", "todo"]);
    folder.write("todo", "todo.cedar", "this is no policy");
    let service = folder.served().await;
    let show = async |target: &str| get(&service, target).await.ok();
    let shown = show("/policies?domain=records").await;
    let digest = shown["in_force"]["folder_digest"].clone();
    let files = shown["in_force"]["files"].as_array().expect("a list");
    assert!(
        files
            .iter()
            .any(|file| file["name"] == "entities.json" && file["text"].is_string())
    );
    assert_eq!(shown["refused"], Value::Null);
    let closed = show("/policies?domain=todo").await;
    assert_eq!(closed["in_force"], Value::Null);
    assert!(
        closed["refused"]["reason"]
            .as_str()
            .is_some_and(|it| it.contains("todo.cedar"))
    );
    let [records, todo] = shown["domains"].as_array().expect("a list").as_slice() else {
        panic!("{shown}");
    };
    assert_eq!(
        records,
        &json!({"name": "records", "digest": shown["in_force"]["digest"], "refused_since": null})
    );
    assert_eq!(
        (&todo["name"], &todo["digest"]),
        (&json!("todo"), &Value::Null)
    );
    assert!(todo["refused_since"].is_string(), "{todo}");
    let mut question = write("record-1");
    question["domain"] = json!("todo");
    let closed = post(&service, "/policies/evaluation", &question).await;
    closed.assert_refused(503, "UNAVAILABLE");
    folder.write("records", "wider.cedar", WIDER);
    until(&service, |ready| {
        ready["domains"]["records"]["folder_digest"] != digest
    })
    .await;
    loop {
        let history = show("/policies/revisions?domain=records").await;
        let [now, before] = history["results"].as_array().expect("a list").as_slice() else {
            // It is recorded after it came into force.
            continue;
        };
        assert_eq!(
            (
                &before["folder_digest"],
                &before["taken_as"],
                &now["taken_as"]
            ),
            (&digest, &json!("start"), &json!("edit"))
        );
        assert_eq!(before["in_force_until"], now["in_force_from"]);
        let digest = before["digest"].as_str().expect("a digest");
        let texts = format!("/policies/revisions/{digest}");
        let earlier = show(&format!("{texts}?domain=records")).await;
        assert_eq!(
            (
                &earlier["revision"],
                &earlier["folder_digest"],
                &earlier["files"]
            ),
            (&before["revision"], &before["folder_digest"], &json!(files))
        );
        get(&service, &texts).await.assert_refused(404, "NOT_FOUND");
        break;
    }
    let built_in = show("/policies/revisions").await;
    assert_eq!(built_in["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        show("/policies/revisions?domain=todo").await["results"],
        json!([])
    );
    service.stop().await;
}
