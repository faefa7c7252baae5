//! The public interoperability scenarios of `AuthZEN` (openid/authzen, `interop/`): every question of their test
//! harnesses, with the domain `todo` and with small domains for the other three.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};
use test_support::service::Service;
use test_support::services::TestDatabase;

use super::domains::{Folder, path, question, started};
use super::interop_domains::{
    Domain, GATEWAY, OWNERS, PEOPLE, Person, READERS, SEARCHERS, owned, records,
};
use super::{Asks, TOKEN, ids};

async fn serving(name: &str, domain: &Domain, entities: &[Value]) -> (Folder, Service) {
    let folder = Folder::with(&[]);
    fs::create_dir_all(folder.domain(name)).expect("a directory");
    folder.write(name, "schema.cedarschema", domain.schema);
    folder.write(name, "policies.cedar", domain.policies);
    folder.write(name, "entities.json", &json!(entities).to_string());
    let settings = format!(
        "tests = \"off\"\nproofs = \"off\"\ndir = \"{}\"\n[access]\ntokens = [\"gateway:{TOKEN}\"]",
        folder.path().display()
    );
    let service = Service::with_policies(TestDatabase::sqlite(), &settings).await;
    (folder, service)
}

async fn decided(service: &Service, domain: &str, asked: &Value) -> bool {
    let answer = service.ask(&path(domain, "evaluation"), asked).await.ok();
    let decision = answer["decision"].as_bool();
    decision.unwrap_or_else(|| panic!("{asked}: {answer}"))
}

fn named(of: &str, id: &str) -> Value {
    json!({"type": of, "id": id})
}

fn to_do(owner: &Person) -> Value {
    let id = format!("7240d0db-8ff0-41ec-98b2-34a096273b9{}", owner.to_do);
    json!({"type": "todo", "id": id, "properties": {"ownerID": owner.email}})
}

fn person(name: &str) -> &'static Person {
    let found = PEOPLE.iter().find(|person| person.name == name);
    found.expect("one of the five")
}

/// What each person is asked, and who of the five may: `+` or `-`, in the order of [`PEOPLE`].
const TO_DO: [(&str, &str); 8] = [
    ("look beth up", "+++++"),
    ("look themselves up", "+++++"),
    ("read the list", "+++++"),
    ("add", "+++--"),
    ("change rick's", "+----"),
    ("change their own", "+++--"),
    ("delete rick's", "+----"),
    ("delete their own", "+++--"),
];

fn to_do_question(who: &Person, what: &str) -> Value {
    // Rick's own are asked about already: his are morty's.
    let own = if who.name == "rick" {
        person("morty")
    } else {
        who
    };
    let (action, resource) = match what {
        "look beth up" => ("can_read_user", named("user", person("beth").email)),
        "look themselves up" => ("can_read_user", named("user", who.email)),
        "read the list" => ("can_read_todos", named("todo", "todo-1")),
        "add" => ("can_create_todo", named("todo", "todo-1")),
        "change rick's" => ("can_update_todo", to_do(person("rick"))),
        "change their own" => ("can_update_todo", to_do(own)),
        "delete rick's" => ("can_delete_todo", to_do(person("rick"))),
        "delete their own" => ("can_delete_todo", to_do(own)),
        _ => panic!("{what}"),
    };
    question(named("user", who.id), json!({"name": action}), resource)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_of_the_to_do_application() {
    let folder = Folder::with(&["todo"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    for (what, expected) in TO_DO {
        let mut answers = String::new();
        for who in &PEOPLE {
            let may = decided(&service, "todo", &to_do_question(who, what)).await;
            answers.push(if may { '+' } else { '-' });
        }
        assert_eq!(answers, expected, "{what}");
    }
    // Batches, two to-dos each.
    for (who, owners, expected) in [
        ("rick", ["rick", "jerry"], [true, true]),
        ("morty", ["rick", "morty"], [false, true]),
        ("jerry", ["rick", "jerry"], [false, false]),
    ] {
        let of = owners.map(|owner| json!({"resource": to_do(person(owner))}));
        let asked = json!({
            "subject": named("user", person(who).id),
            "action": {"name": "can_update_todo"},
            "evaluations": of,
        });
        let answer = service.ask(&path("todo", "evaluations"), &asked).await;
        let expected = expected.map(|decision| json!({"decision": decision}));
        assert_eq!(answer.ok(), json!({"evaluations": expected}), "{who}");
    }
    service.stop().await;
}

/// Who of the five passes the gateway.
const ROUTES: [(&str, &str, &str); 5] = [
    ("GET", "/users/{userId}", "+++++"),
    ("GET", "/todos", "+++++"),
    ("POST", "/todos", "+++--"),
    ("PUT", "/todos/{todoId}", "+++--"),
    ("DELETE", "/todos/{todoId}", "+++--"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_of_the_gateways() {
    let people = PEOPLE.map(Person::at_gateway);
    let (_folder, service) = serving("routes", &GATEWAY, &people).await;
    for (method, route, expected) in ROUTES {
        let mut answers = String::new();
        for who in &PEOPLE {
            let asked = question(
                named("identity", who.id),
                json!({"name": method}),
                named("route", route),
            );
            let may = decided(&service, "routes", &asked).await;
            answers.push(if may { '+' } else { '-' });
        }
        assert_eq!(answers, expected, "{method} {route}");
    }
    service.stop().await;
}

/// What each may do with the records 101 to 120: nothing, view, edit as well, delete as well.
const MATRIX: [(&str, &str); 6] = [
    ("alice", "dvvvvvdvvevvdvvvvvdv"),
    ("bob", "vdv.v..d...v.d.vv.vd"),
    ("carol", "vvd.v..vd..v..dvv.v."),
    ("dan", "vvvdvvvvvdvvvvedvvvv"),
    ("erin", "....d.....d...v.d..."),
    ("felix", "...v.d..v.vd.v...d.v"),
];

/// The pairs of a user and a record, each with the actions that the matrix allows.
fn cells() -> impl Iterator<Item = (&'static str, String, &'static [&'static str])> {
    MATRIX.into_iter().flat_map(|(user, row)| {
        row.chars().enumerate().map(move |(index, cell)| {
            let actions: &[&str] = match cell {
                '.' => &[],
                'v' => &["view"],
                'e' => &["view", "edit"],
                'd' => &["view", "edit", "delete"],
                _ => panic!("{cell}"),
            };
            (user, (101 + index).to_string(), actions)
        })
    })
}

async fn found(service: &Service, domain: &str, search: &str, asked: &Value) -> Vec<String> {
    let answer = service.ask(&path(domain, search), asked).await;
    assert_eq!(answer.ok()["page"]["next_token"], "", "one page: {asked}");
    let mut found = ids(&answer);
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_of_the_search_application() {
    let users = SEARCHERS.map(|user| user.entity());
    let entities = [&users, records().as_slice()].concat();
    let (_folder, service) = serving("search", &READERS, &entities).await;
    let mut asked = [0; 3];
    for (user, record, actions) in cells() {
        let mut expected = actions.to_vec();
        expected.sort_unstable();
        let which = json!({"subject": named("user", user), "resource": named("record", &record)});
        let actions = found(&service, "search", "search/action", &which).await;
        assert_eq!(actions, expected, "{user} {record}");
        asked[0] += 1;
    }
    for action in ["view", "edit", "delete"] {
        let may = |of: &dyn Fn(&str, &str) -> Option<String>| -> Vec<String> {
            let allowed = cells().filter(|(_, _, actions)| actions.contains(&action));
            allowed
                .filter_map(|(user, record, _)| of(user, &record))
                .collect()
        };
        let name = || json!({"name": action});
        for (user, _) in MATRIX {
            let expected = may(&|who, record| (who == user).then(|| record.to_owned()));
            let which = question(named("user", user), name(), json!({"type": "record"}));
            let records = found(&service, "search", "search/resource", &which).await;
            assert_eq!(records, expected, "{user} {action}");
            asked[1] += 1;
        }
        for record in 101..=120 {
            let record = record.to_string();
            let expected = may(&|who, of| (of == record).then(|| who.to_owned()));
            let which = question(json!({"type": "user"}), name(), named("record", &record));
            let users = found(&service, "search", "search/subject", &which).await;
            assert_eq!(users, expected, "{record} {action}");
            asked[2] += 1;
        }
    }
    assert_eq!(asked, [120, 18, 60], "the harness asks as many");
    service.stop().await;
}

/// An identity provider writes into a token which records its user may delete: those that they own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_of_the_identity_providers() {
    let (_folder, service) = serving("claims", &OWNERS, &owned()).await;
    let mut claims = String::new();
    for (user, _) in MATRIX {
        let which = question(
            named("user", user),
            json!({"name": "delete"}),
            json!({"type": "record"}),
        );
        let records = found(&service, "claims", "search/resource", &which).await;
        writeln!(claims, "{user}: {}", records.join(" ")).expect("a line");
    }
    let expected = "alice: 101 107 113 119\nbob: 102 108 114 120\ncarol: 103 109 115\n\
                    dan: 104 110 116\nerin: 105 111 117\nfelix: 106 112 118\n";
    assert_eq!(claims, expected);
    service.stop().await;
}
