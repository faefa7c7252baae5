//! What a domain's folder says of the store's records, and of what gateways fill, is held against the service at load.

use std::fs;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::folder;

use super::domains::Folder;

/// A file, and how its text is changed.
type Edit<'a> = (&'a str, &'a dyn Fn(&str) -> String);

/// The report of a folder's faults, with each of these files of the `gateway` example changed by its edit; empty if it
/// has none.
fn load(edits: &[Edit<'_>]) -> String {
    let folder = Folder::with(&["gateway"]);
    for (name, edit) in edits {
        let text = fs::read_to_string(folder.domain("gateway").join(name)).unwrap_or_default();
        folder.write("gateway", name, &edit(&text));
    }
    let read = folder::Folder::read(&folder.domain("gateway")).expect("readable");
    CustomDomain::from_folder(&read).map_or_else(|error| error.report(), |_| String::new())
}

#[track_caller]
fn assert_refused(report: &str, place: &str, told: &[&str]) {
    assert!(report.contains(place), "no `{place}` in: {report}");
    for text in told {
        assert!(report.contains(text), "no `{text}` in: {report}");
    }
}

#[test]
fn ids_that_no_record_can_have_are_refused_wherever_they_stand() {
    let good = "sa-01m8kz862kess8jhxhzt039pr4";
    let uuid = "01936e5f-8000-7000-8000-000000000001";
    for (of, id) in [
        ("ServiceAccount", uuid),
        ("ServiceAccount", "SA-01M8KZ862KESS8JHXHZT039PR4"),
        ("ServiceAccount", "sa-1"),
        ("User", "owner@acme.example"),
        ("User", good),
        ("Organization", "acme"),
    ] {
        let named = format!("Charter::{of}::\"{id}\"");
        let told = format!("no Charter::{of} can have the id `{id}`");
        let forbid = |_: &str| {
            format!(
                "@id(\"stops-nobody\")\nforbid (principal, action, resource)\nwhen {{ principal == {named} }};\n"
            )
        };
        let scope = |_: &str| {
            format!("@id(\"stops-nobody\")\nforbid (principal in {named}, action, resource);\n")
        };
        assert_refused(&load(&[("x.cedar", &forbid)]), "x.cedar:3:", &[&told]);
        if of == "Organization" {
            assert_refused(&load(&[("x.cedar", &scope)]), "x.cedar:2:", &[&told]);
        }
        let invariant = load(&[("invariants/x.cedar", &forbid)]);
        assert_refused(&invariant, "x.cedar:3:", &[&told]);
        let schema = |text: &str| {
            let text = text.replace(
                "entity Invoice in [Service];",
                &format!("entity Invoice in [Service] = {{\"of\"?: Charter::{of}}};"),
            );
            format!(
                "{text}\naction \"by\" appliesTo {{ principal: [Charter::User], resource: [Charter::{of}] }};\n"
            )
        };
        let entities = |_: &str| {
            format!(
                "[\n{{\"uid\": {{\"type\": \"Invoice\", \"id\": \"7\"}}, \"parents\": [], \"attrs\": {{\"of\": {{\"type\": \
                 \"Charter::{of}\", \"id\": \"{id}\"}}}}}}\n]"
            )
        };
        let report = load(&[
            ("schema.cedarschema", &schema),
            ("entities.json", &entities),
        ]);
        assert_refused(&report, "entities.json:2:1", &[&told]);
        let routes = |text: &str| {
            format!("{text}\"GET /x\" = {{ action = \"by\", resource = '{named}' }}\n")
        };
        let report = load(&[("schema.cedarschema", &schema), ("routes.toml", &routes)]);
        assert_refused(&report, "routes.toml:8:", &[&told]);
        // The domain's own types have what ids they like.
        let own = |_: &str| {
            format!("@id(\"own\")\nforbid (principal, action, resource == Invoice::\"{id}\");\n")
        };
        assert_eq!(load(&[("x.cedar", &own)]), "");
    }
    let possible = |_: &str| {
        format!(
            "@id(\"one\")\nforbid (principal == Charter::ServiceAccount::\"{good}\", action, resource);\n"
        )
    };
    assert_eq!(load(&[("x.cedar", &possible)]), "");
    let help = load(&[("x.cedar", &|_: &str| {
        format!(
            "@id(\"one\")\nforbid (principal == Charter::ServiceAccount::\"{uuid}\", action, resource);\n"
        )
    })]);
    assert!(
        help.contains("write `Charter::ServiceAccount::\"sa-"),
        "{help}"
    );
}

#[test]
fn the_schema_declares_of_records_what_the_store_says() {
    let user = "entity User in [Organization] = {";
    for (old, new, told) in [
        (
            user,
            "entity User in [Organization] = {\n\"mfa\": Bool,",
            "the store does not fill the attribute `mfa` of `Charter::User`",
        ),
        (
            user,
            "entity User in [Organization] = {\n\"mfa\"?: Bool,",
            "the store does not fill the attribute `mfa` of `Charter::User`",
        ),
        (
            "\"plan_tier\": String,",
            "\"plan_tier\": String, \"slug\": Long,",
            "the store fills the attribute `slug` of `Charter::Organization` with another type",
        ),
        (
            "\"roles\": Set<String>,",
            "\"roles\": Set<String>, \"permissions\"?: Set<Long>,",
            "declare it as `Set<String>`",
        ),
        (
            "\"email_verified\": Bool,",
            "\"email_verified\": Bool, \"is_active\"?: String,",
            "declare it as `Bool`",
        ),
        (
            user,
            "entity Team;\nentity User in [Organization] = {",
            "`Charter::Team` is no record of the store",
        ),
        (
            "namespace Charter {",
            "entity Crew;\nnamespace Charter {\nentity AccessKey;",
            "`Charter::AccessKey` is no record of the store",
        ),
        (
            "entity User in [Organization] = {",
            "entity User in [Organization, Service] = {",
            "the store puts no `Charter::User` into a `Service`",
        ),
        (
            "\"email_verified\": Bool,\n  };",
            "\"email_verified\": Bool,\n  } tags String;",
            "the store gives no tags to a `Charter::User`",
        ),
    ] {
        let edit = |text: &str| {
            assert!(text.contains(old), "{old}");
            text.replace(old, new)
        };
        let report = load(&[("schema.cedarschema", &edit)]);
        assert_refused(&report, "schema.cedarschema:", &[told]);
        assert!(!report.contains("schema.cedarschema:1:1"), "{report}");
    }
    let acts = |text: &str| {
        text.to_owned()
            + "action \"x\" appliesTo { principal: [Charter::Organization], resource: [Service] };\n"
    };
    let rule = |_: &str| {
        "@id(\"one\")\npermit (principal, action == Action::\"x\", resource);\n".to_owned()
    };
    let report = load(&[("schema.cedarschema", &acts), ("billing.cedar", &rule)]);
    let told = "a `Charter::Organization` does nothing by itself";
    assert_refused(&report, "schema.cedarschema:", &[told]);
    // All that the store says, optional or not.
    let all = |text: &str| {
        text.replace("\"plan_tier\": String,", "\"plan_tier\": String, \"code\"?: String, \"slug\": String,")
            .replace("\"roles\": Set<String>,", "\"roles\": Set<String>, \"permissions\": Set<String>, \"name\": String, \"account\"?: Account, \"is_active\": Bool,")
            .replace("entity User in", "entity Account in [Organization] = {\"organization\": Organization, \"code\": String, \"name\": String, \"is_active\": Bool};\nentity User in")
            .replace("\"role\": String,", "\"role\": String, \"is_active\": Bool,")
    };
    assert_eq!(load(&[("schema.cedarschema", &all)]), "");
}

#[test]
fn a_route_asks_only_what_gateways_can() {
    let declared = |context: &str, principal: &str| {
        format!(
            "\naction \"x\" appliesTo {{ principal: [{principal}], resource: [Invoice], context: {{{context}}} }};\n"
        )
    };
    let caller = "Charter::User";
    let report = |context: &str, principal: &str, resource: &str, method: &str| {
        let schema = |text: &str| text.to_owned() + &declared(context, principal);
        let routes = |text: &str| {
            format!(
                "{text}\"{method} /x/{{id}}\" = {{ action = \"x\", resource = '{resource}' }}\n"
            )
        };
        load(&[("schema.cedarschema", &schema), ("routes.toml", &routes)])
    };
    let invoice = "Invoice::\"{id}\"";
    for context in [
        "",
        "\"method\": String, \"path\"?: String, \"source_ip\": ipaddr",
        "\"source_ip\"?: String, \"amount\"?: Long",
    ] {
        assert_eq!(report(context, caller, invoice, "GET"), "", "{context}");
    }
    for (context, told) in [
        (
            "\"method\"?: Long",
            "gateways fill `method` in the context of `x` with another type",
        ),
        ("\"path\": Set<String>", "gateways fill `path`"),
        ("\"path\"?: ipaddr", "gateways fill `path`"),
        (
            "\"source_ip\"?: decimal",
            "declare it as `String` or `ipaddr`",
        ),
        (
            "\"amount\": Long",
            "`x` requires `amount` in its context, which gateways cannot fill",
        ),
    ] {
        let report = report(context, caller, invoice, "GET");
        assert_refused(&report, "routes.toml:8:", &[told]);
    }
    // Without a route, questions may fill all of it.
    let schema =
        |text: &str| text.to_owned() + &declared("\"method\": Long, \"amount\": Long", caller);
    assert_eq!(load(&[("schema.cedarschema", &schema)]), "");
    for (principal, resource, method, told) in [
        (
            caller,
            "Service::\"billing\"",
            "GET",
            "`x` is not asked about a `Service`",
        ),
        (
            caller,
            "Charter::User::\"{id}\"",
            "GET",
            "`x` is not asked about a `Charter::User`",
        ),
        (
            "Invoice",
            invoice,
            "GET",
            "`x` is asked by nobody whom gateways know",
        ),
        (
            caller,
            invoice,
            "HEAD",
            "a HEAD is decided as the GET of its path",
        ),
    ] {
        let report = report("", principal, resource, method);
        assert_refused(&report, "routes.toml:8:", &[told]);
    }
    let unknown = load(&[("routes.toml", &|text: &str| {
        text.replace("Service::\"billing\"", "Service::\"selling\"")
    })]);
    assert_refused(
        &unknown,
        "routes.toml:4:",
        &["the schema has no `Service::\"selling\"`"],
    );
}

#[test]
fn a_file_that_is_too_long_and_cannot_be_split_says_so() {
    for (name, told) in [
        ("entities.json", "leave out entities"),
        ("routes.toml", "there can be one such file only"),
        ("long.cedar", "split it into several files"),
    ] {
        let folder = Folder::with(&["gateway"]);
        folder.write("gateway", name, &" ".repeat(1024 * 1024 + 1));
        let read = folder::Folder::read(&folder.domain("gateway"));
        let report = read.map_or_else(|error| error.report(), |_| String::new());
        assert_refused(&report, name, &["is larger than 1048576 bytes", told]);
    }
}
