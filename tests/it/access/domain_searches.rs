//! Searches of domains of one's own: each result once, in pages of bounded work.

use std::fmt::Write as _;

use charter_authz::custom_domain::{CustomDomain, DomainQuestion, NamedEntity, SearchPage};
use charter_authz::folder;
use serde_json::Map;

use super::domains::Folder;

const SCHEMA: &str = r#"
entity Group;
entity Person in [Group];
entity Color enum ["a", "b", "z"];
action "paint" appliesTo { principal: [Person], resource: [Color] };
"#;

fn load(policy: &str, entities: &str) -> Result<CustomDomain, String> {
    let folder = Folder::with(&["records"]).without_rules("records");
    folder.write("records", "schema.cedarschema", SCHEMA);
    folder.write("records", "records.cedar", policy);
    folder.write("records", "entities.json", entities);
    let read = folder::Folder::read(&folder.domain("records")).expect("readable");
    CustomDomain::from_folder(&read).map_err(|error| error.report())
}

fn entity(of: &str, id: &str, parents: &str) -> String {
    format!(r#"{{"uid": {{"type": "{of}", "id": "{id}"}}, "attrs": {{}}, "parents": [{parents}]}}"#)
}

/// The pages of a search for colors that Ann may paint, or for people who may paint the first color.
fn pages(domain: &CustomDomain, for_people: bool, limit: usize) -> Vec<Vec<String>> {
    let nothing = Map::new();
    let named = |of, id| NamedEntity {
        of,
        id,
        properties: &nothing,
    };
    let question = DomainQuestion {
        subject: named("Person", "ann"),
        action: "paint",
        action_properties: &nothing,
        resource: named("Color", "a"),
        context: &nothing,
        facts: &[],
    };
    let mut pages = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = SearchPage {
            after: after.as_deref(),
            limit,
        };
        let found = if for_people {
            domain.search_subjects(&question, page)
        } else {
            domain.search_resources(&question, page)
        };
        let found = found.expect("asked");
        pages.push(found.ids);
        let Some(next) = found.next else {
            return pages;
        };
        after = next;
    }
}

#[test]
fn an_enumerated_entity_that_the_file_describes_is_found_once() {
    let permit = "@id(\"any\")\npermit (principal, action, resource);\n";
    for described in ["a", "b", "z"] {
        let entities = format!("[{}]", entity("Color", described, ""));
        let domain = load(permit, &entities).expect("it is right");
        for limit in 1..=4 {
            let found = pages(&domain, false, limit).concat();
            assert_eq!(found, ["a", "b", "z"], "{described}, {limit} a page");
        }
    }
    // So that there is no other.
    let report = load(permit, &format!("[{}]", entity("Color", "q", ""))).expect_err("a fault");
    assert!(report.contains("entities.json:1:2"), "{report}");
}

#[test]
fn a_search_goes_on_after_an_empty_id() {
    let permit = "@id(\"any\")\npermit (principal, action, resource);\n";
    let people = ["", "ann", "bob"].map(|id| entity("Person", id, ""));
    let domain = load(permit, &format!("[{}]", people.join(","))).expect("it is right");
    assert_eq!(pages(&domain, true, 1), [[""], ["ann"], ["bob"]]);
}

#[test]
fn a_page_ends_after_many_ids_that_no_scope_fits() {
    let permit = "@id(\"some\")\npermit (principal in Group::\"painters\", action, resource);\n";
    let mut entities = format!("[{}", entity("Group", "painters", ""));
    for number in 0..2_500 {
        let parent = r#"{"type": "Group", "id": "painters"}"#;
        let parents = if number % 2_400 == 1 { parent } else { "" };
        let person = entity("Person", &format!("p{number:04}"), parents);
        write!(entities, ",\n{person}").expect("written");
    }
    entities.push(']');
    let domain = load(permit, &entities).expect("it is right");
    assert_eq!(
        pages(&domain, true, 5),
        [vec!["p0001".to_owned()], vec!["p2401".to_owned()]]
    );
}
