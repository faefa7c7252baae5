//! The console in the browser (docs/console.md).

mod accessible;
mod browser;
mod contrast;
mod docs;
mod domains;
mod edits;
mod files;
mod leaving;
mod lists;
mod masses;
mod newcomer;
mod operators;
mod portal;
mod states;
mod tasks;
mod texts;
mod troubles;
mod workbench;

use test_support::service::{PASSWORD, Person, Persona as _, Service, TeamRole};

use browser::Browser;

/// Runs what persons do; browsers are spoken to on a thread that may wait.
fn at_the_desk<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

fn browser(service: &Service) -> Option<Browser> {
    at_the_desk(|| Browser::open(&format!("http://{}", service.address())))
}

fn sign_in(browser: &Browser, email: &str, password: &str) {
    browser.visit("/");
    browser.arrive_at("Sign in");
    assert_eq!(browser.path(), "/sign-in");
    browser.fill("E-mail", email);
    browser.fill("Password", password);
    browser.press("Sign in");
    browser.arrive_at("Overview");
}

/// A browser in which the owner of a new organization has signed in; `None` without a browser.
async fn owner_at_work(service: &Service) -> Option<(Browser, Person)> {
    let browser = browser(service)?;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    at_the_desk(|| sign_in(&browser, &owner.email, PASSWORD));
    Some((browser, owner))
}

/// Ends the person's current session or all others. The browser has another one than the person has here.
async fn end_sessions(person: &Person, current: bool) {
    const SESSIONS: &str = "/api/portal/sessions";
    let sessions = person.get(SESSIONS).await.ok();
    for session in sessions.as_array().expect("sessions") {
        if session["current"] == current {
            let id = session["id"].as_str().expect("an id");
            person.delete(&format!("{SESSIONS}/{id}")).await.ok();
        }
    }
}
