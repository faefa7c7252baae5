//! What an operator sees of domains of one's own, in a browser, on both databases.

use std::fs;
use std::time::Duration;

use serde_json::json;
use test_support::service::Service;
use test_support::services::TestDatabase;

use super::at_the_desk;
use super::browser::Browser;
use crate::access::domains::Folder;
use crate::access::{Asks as _, TOKEN, question};

const WIDER: &str = "@id(\"wider\")\npermit (principal, action == Action::\"write\", resource);\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_are_seen_as_the_built_in_policies_are() {
    let folder = Folder::with(&["records", "todo"]);
    let shadow = Folder::with(&["records"]).without_rules("records");
    shadow.write("records", "wider.cedar", WIDER);
    let policies = format!(
        "dir = \"{}\"\nshadow = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"off\"\nproofs = \"off\"\n\
         [access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display(),
        shadow.path().display()
    );
    let server = format!("ops_token = \"{TOKEN}\"");
    let service =
        Service::with_server_and_policies(TestDatabase::sqlite(), &server, &policies).await;
    let decision = denied(&service).await;
    let address = format!("http://{}", service.operations_address());
    at_the_desk(|| {
        let Some(browser) = Browser::open(&address) else {
            return;
        };
        browser.visit("/workbench/policies");
        browser.arrive_at("Sign in");
        browser.fill("Operator token", TOKEN);
        browser.press("Sign in");
        browser.arrive_at("Policies in force");
        break_a_domain(&browser, &folder);
        turn_every_page(&browser);
        ask(&browser);
        compare(&browser);
        explain(&browser, &decision, &folder);
    });
    service.stop().await;
}

/// A denial on record, by its id.
async fn denied(service: &Service) -> String {
    let mut asked = question(("user", "alice"), "write", ("record", "record-2"));
    asked["options"] = json!({"explain": true});
    let answer = service.ask("/domains/records/access/v1/evaluation", &asked);
    let answer = answer.await.ok();
    assert_eq!(answer["decision"], false);
    assert!(service.state().decisions.flush(Duration::from_mins(1)));
    let id = answer["context"]["decision_id"].as_str();
    id.expect("a decision").to_owned()
}

fn break_a_domain(browser: &Browser, folder: &Folder) {
    browser.press("Refused edit");
    browser.see("No edit is refused");
    let file = folder.domain("todo").join("todo.cedar");
    let sound = fs::read_to_string(&file).expect("a file");
    fs::write(&file, "this is no policy").expect("an edit");
    // The page about the built-in policies tells of it by itself.
    browser.see("A newer folder of the domain todo is refused");
    browser.see("No edit of the built-in policies is refused");
    browser.press("Policies in force");
    browser.arrive_at("Policies in force");
    browser.see("A newer folder of the domain todo is refused");
    browser.press("See why: todo");
    browser.arrive_at("Refused edit");
    assert_eq!(browser.path(), "/workbench/refused-edit?domain=todo");
    browser.see("todo.cedar");
    browser.see("What was changed");
    browser.see("this is no policy");
    browser.gone("No edit");
    browser.choose("Policies", "records");
    browser.see("No edit of the domain records is refused");
    browser.see("A newer folder of the domain todo is refused");
    fs::write(&file, sound).expect("an edit");
    browser.gone("A newer folder of the domain todo is refused");
    browser.choose("Policies", "Built-in");
    browser.see("No edit is refused");
    browser.assert_quiet();
}

fn turn_every_page(browser: &Browser) {
    browser.press("Policies in force");
    browser.arrive_at("Policies in force");
    browser.choose("Policies", "records");
    browser.see("entities.json");
    for (page, shown) in [
        ("Shadow", "wider.cedar"),
        ("Coverage", "records:soft-delete"),
        ("History", "At a start"),
        ("Decisions", "Write"),
        ("Policies in force", "records.cedar"),
    ] {
        browser.press(page);
        browser.arrive_at(page);
        browser.see(shown);
        assert!(browser.path().ends_with("?domain=records"), "{page}");
        browser.assert_quiet();
    }
    browser.press("records.cedar");
    browser.wait_for("[aria-label='Text of records.cedar']");
    for (page, shown) in [
        ("Roles", "A domain of your own has no roles"),
        ("Replicas", "records"),
    ] {
        browser.press(page);
        browser.arrive_at(page);
        browser.see(shown);
        browser.assert_quiet();
    }
    browser.visit("/workbench/policies?domain=nowhere");
    browser.see("there is no domain");
}

fn ask(browser: &Browser) {
    browser.visit("/workbench/access?domain=records");
    browser.arrive_at("Who may, what may");
    browser.fill("Action", "write");
    browser.fill("Resource id", "record-1");
    browser.press("Who may?");
    browser.see("alice");
    browser.see("records:write");
    browser.press("Explain write on record-1");
    browser.arrive_at("Try a request");
    browser.press("Try");
    browser.see("Allowed");
    browser.visit(
        "/workbench/access?domain=records&subject.type=user&subject.id=alice&permission=write",
    );
    browser.arrive_at("Who may, what may");
    browser.press("What may it do?");
    browser.see("1 in all");
    browser
        .visit("/workbench/try?domain=records&subject.type=user&subject.id=alice&permission=write");
    browser.arrive_at("Try a request");
    browser.fill("Resource id", "new");
    browser.fill("Resource properties", "{\"status\": 7}");
    browser.press("Try");
    browser.wait_for("[name='resource/properties'][aria-invalid=true]");
    browser.fill("Resource properties", "{\"status\": \"active\"}");
    browser.press("Try");
    browser.see("Allowed");
    browser.see("records:write");
    browser.assert_quiet();
}

fn compare(browser: &Browser) {
    browser.press("Compare a folder");
    browser.arrive_at("Compare a folder");
    browser.see("Drop a folder of the domain records here");
    browser.drop_files(&[("wider.cedar", WIDER)]);
    browser.see("In the place of those in force");
    browser.choose("Compare", "Replay recorded decisions");
    browser.press("Compare");
    browser.see("1 recorded decision would change");
    browser.see("What was changed");
    browser.assert_quiet();
}

fn explain(browser: &Browser, decision: &str, folder: &Folder) {
    let marked = ".near .line-bad .note";
    let page = format!("/workbench/decisions/{decision}");
    browser.visit(&page);
    browser.see("No policy permits it");
    browser.wait_for(marked);
    browser.press("Try this request");
    browser.arrive_at("Try a request");
    assert_eq!(browser.value("Subject id"), "alice");
    browser.choose("Against", "The shadow, and the difference");
    browser.press("Try");
    browser.see("Allowed there, and denied by the policies in force.");
    browser.wait_for(".two > section + section .source");
    // Others are in force later; the ones that decided are shown all the same.
    folder.write("records", "more.cedar", &WIDER.replace("write", "read"));
    browser.press("Policies in force");
    browser.see("more.cedar");
    browser.visit(&page);
    browser.see("These are the ones that decided");
    browser.wait_for(marked);
    browser.assert_quiet();
}
