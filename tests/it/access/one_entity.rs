//! What a question says of an entity: in two places of one, in records of records, of who could not act now.

use serde_json::{Value, json};
use test_support::service::{Grants, Persona as _, Service, TeamRole};
use test_support::services::TestDatabase;

use super::domains::{Folder, path, question};
use super::{Asks as _, TOKEN};

const SCHEMA: &str = r#"
entity user = {
  "level"?: Long,
  "home"?: { "floor": Long, "rooms"?: Set<{ "size": Long }> },
  "boss"?: user,
};
action "see" appliesTo { principal: [user], resource: [user], context: { "at"?: { "floor": Long } } };
"#;

async fn levels() -> (Service, Folder) {
    let folder = Folder::with(&["records"]).without_rules("records");
    folder.write("records", "schema.cedarschema", SCHEMA);
    folder.write(
        "records",
        "records.cedar",
        "@id(\"high\")\npermit (principal, action, resource) when { principal has level && principal.level > 5 };\n\
         @id(\"low\")\npermit (principal, action, resource) when { context has at && context.at.floor == 3 };\n\
         @id(\"home\")\npermit (principal, action, resource) when { principal has home && principal.home.floor == 3 };\n",
    );
    folder.write(
        "records",
        "entities.json",
        "[{\"uid\": {\"type\": \"user\", \"id\": \"known\"}, \"attrs\": {\"level\": 9}, \"parents\": []}]",
    );
    (without_examples(&folder).await, folder)
}

/// Serves a folder whose examples do not fit.
async fn without_examples(folder: &Folder) -> Service {
    let settings = format!(
        "tests = \"off\"\nproofs = \"off\"\ndir = \"{}\"\n[access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display()
    );
    Service::with_policies(TestDatabase::sqlite(), &settings).await
}

fn see(id: &str, subject: &Value, resource: &Value) -> Value {
    let user = |properties: &Value| json!({"type": "user", "id": id, "properties": properties});
    question(user(subject), json!({"name": "see"}), user(resource))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_places_that_speak_of_one_entity_agree_or_are_a_400() {
    let (service, _folder) = levels().await;
    let (evaluation, evaluations) = (
        path("records", "evaluation"),
        path("records", "evaluations"),
    );
    for (id, subject, resource, expected) in [
        ("u", json!({"level": 9}), json!({"level": 9}), true),
        ("u", json!({"level": 9}), json!({}), true),
        ("u", json!({}), json!({"level": 9}), true),
        (
            "u",
            json!({"level": 1}),
            json!({"home": {"floor": 3}}),
            true,
        ),
        (
            "u",
            json!({"level": 1}),
            json!({"home": {"floor": 1}}),
            false,
        ),
        // What is not declared is ignored, and the file stands over both.
        ("u", json!({"level": 9, "x": 1}), json!({"x": 2}), true),
        ("known", json!({"level": 1}), json!({"level": 2}), true),
    ] {
        let asked = see(id, &subject, &resource);
        let answer = service.ask(&evaluation, &asked).await;
        assert_eq!(answer.ok(), json!({"decision": expected}), "{asked}");
    }
    for (subject, resource, field) in [
        (
            json!({"level": 1}),
            json!({"level": 9}),
            "/resource/properties/level",
        ),
        (
            json!({"level": 9}),
            json!({"level": 1}),
            "/resource/properties/level",
        ),
        (
            json!({"level": "9"}),
            json!({}),
            "/subject/properties/level",
        ),
        (
            json!({}),
            json!({"level": "9"}),
            "/resource/properties/level",
        ),
        (
            json!({}),
            json!({"home": {"floor": "3"}}),
            "/resource/properties/home/floor",
        ),
    ] {
        let asked = see("u", &subject, &resource);
        let refused = service.ask(&evaluation, &asked).await;
        assert_eq!(refused.broken_on_portal(), [field], "{asked}");
        let batch = json!({"evaluations": [asked]});
        let answer = service.ask(&evaluations, &batch).await.ok();
        let item = &answer["evaluations"][0];
        assert_eq!(item["decision"], json!(false));
        let reason = item["context"]["reason"].as_str().expect("a reason");
        assert!(reason.contains(field), "{reason}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undeclared_members_are_ignored_at_every_depth() {
    let (service, _folder) = levels().await;
    let evaluation = path("records", "evaluation");
    for properties in [
        json!({"home": {"floor": 3, "view": "sea"}}),
        json!({"home": {"floor": 3, "view": null}}),
        json!({"home": {"floor": 3, "rooms": [{"size": 1, "colour": {"x": []}}]}}),
        json!({"level": 9, "boss": {"type": "user", "id": "known", "properties": {"level": 1}}}),
    ] {
        let asked = see("u", &properties, &json!({}));
        let answer = service.ask(&evaluation, &asked).await;
        assert_eq!(answer.ok(), json!({"decision": true}), "{asked}");
    }
    for action in [
        json!({"name": "see"}),
        json!({"name": "see", "properties": {"at": {"floor": 3}}}),
    ] {
        let mut asked = see("u", &json!({}), &json!({}));
        asked["action"] = action;
        asked["context"] = json!({"at": {"floor": 3, "door": 1}, "more": 1});
        let answer = service.ask(&evaluation, &asked).await;
        assert_eq!(answer.ok(), json!({"decision": true}), "{asked}");
    }
    // What is declared is still held to its type.
    let asked = see(
        "u",
        &json!({"home": {"floor": 3, "rooms": [{"size": "big"}]}}),
        &json!({}),
    );
    let refused = service.ask(&evaluation, &asked).await;
    assert_eq!(
        refused.broken_on_portal(),
        ["/subject/properties/home/rooms/0/size"]
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_of_the_context_that_is_none_is_named_as_a_propertys_is() {
    let folder = Folder::with(&["records"]).without_rules("records");
    let schema = "entity user = { \"since\"?: datetime };\n\
                  action \"see\" appliesTo { principal: [user], resource: [user], context: {\n\
                  \"at\"?: datetime, \"of\"?: { \"each\"?: Set<datetime>, \"from\"?: ipaddr } } };\n";
    folder.write("records", "schema.cedarschema", schema);
    folder.write(
        "records",
        "records.cedar",
        "@id(\"all\")\npermit (principal, action, resource);\n",
    );
    folder.write("records", "entities.json", "[]");
    let service = without_examples(&folder).await;
    let evaluation = path("records", "evaluation");
    let time = "must be a time as a string, such as `\"2025-09-30T12:00:00Z\"` or, with an offset, \
                `\"2025-09-30T13:00:00+0100\"`";
    let ask = |context: Value| {
        let mut asked = see("u", &json!({}), &json!({}));
        asked["context"] = context;
        asked
    };
    for (context, field, rule) in [
        (json!({"at": "noon"}), "/context/at", time),
        (
            json!({"at": "2025-09-30T13:00:00+01:00"}),
            "/context/at",
            time,
        ),
        (
            json!({"at": {"__extn": {"fn": "datetime", "arg": "noon"}}}),
            "/context/at",
            time,
        ),
        (
            json!({"of": {"each": ["2025-09-30", "noon"]}}),
            "/context/of/each/1",
            time,
        ),
        (
            json!({"of": {"from": "here"}}),
            "/context/of/from",
            "must be an IP address or network as a string, such as `\"192.0.2.7\"`",
        ),
    ] {
        let refused = service.ask(&evaluation, &ask(context)).await;
        assert_eq!(refused.broken_on_portal(), [field]);
        let told = refused.json().to_string().replace("\\\"", "\"");
        assert!(told.contains(rule), "{told}");
    }
    let as_property = see("u", &json!({"since": "noon"}), &json!({}));
    let refused = service.ask(&evaluation, &as_property).await;
    assert_eq!(refused.broken_on_portal(), ["/subject/properties/since"]);
    for at in ["2025-09-30T12:00:00Z", "2025-09-30T13:00:00+0100"] {
        let answer = service.ask(&evaluation, &ask(json!({"at": at}))).await;
        assert_eq!(answer.ok(), json!({"decision": true}), "{at}");
    }
    service.stop().await;
}

/// All that a domain may declare of the store's records, all of it required.
const RECORDS: &str =
    include_str!("../../../crates/authz/src/custom_domain/store_records.cedarschema");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_says_all_that_a_domain_may_declare_and_nothing_of_who_could_not_act_now() {
    let folder = Folder::with(&["gateway"]).without_rules("gateway");
    std::fs::remove_file(folder.domain("gateway").join("routes.toml")).expect("removed");
    let see = "action \"see\" appliesTo {
      principal: [Charter::ServiceAccount, Charter::User],
      resource: [Charter::ServiceAccount, Charter::User, Charter::Account, Charter::Organization],
    };";
    folder.write(
        "gateway",
        "schema.cedarschema",
        &format!("{RECORDS}\n{see}\n"),
    );
    folder.write(
        "gateway",
        "billing.cedar",
        "@id(\"see\")\npermit (principal, action, resource);\n",
    );
    let service = without_examples(&folder).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let robot = acme.signer_with(Grants::default()).await;
    let account = owner
        .get(&format!("/service-accounts/{}", robot.id))
        .await
        .ok();
    let account = account["account_id"].as_str().expect("an id").to_owned();
    let organization = acme.organization.id.to_string();
    let record = |(of, id): (&str, &str)| json!({"type": format!("Charter::{of}"), "id": id});
    let (robot_id, owner_id) = (("ServiceAccount", &*robot.id), ("User", &*owner.id));
    let decision = async |subject, resource| {
        let asked = question(record(subject), json!({"name": "see"}), record(resource));
        let answer = service.ask(&path("gateway", "evaluation"), &asked).await;
        answer.ok()["decision"].clone()
    };
    let resources = [
        robot_id,
        owner_id,
        ("Account", &*account),
        ("Organization", &*organization),
    ];
    for subject in [robot_id, owner_id] {
        for resource in resources {
            let seen = decision(subject, resource).await;
            assert_eq!(seen, json!(true), "{subject:?} {resource:?}");
        }
    }
    let body = json!({"is_active": false});
    let robots = format!("/service-accounts/{}", robot.id);
    owner.patch(&robots, body).await.ok();
    for resource in resources {
        assert_eq!(
            decision(robot_id, resource).await,
            json!(false),
            "{resource:?}"
        );
    }
    assert_eq!(decision(owner_id, robot_id).await, json!(true));
    service.stop().await;
}
