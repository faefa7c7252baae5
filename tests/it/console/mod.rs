//! The console in the browser (docs/console.md).

mod accessible;
mod browser;
mod contrast;
mod docs;
mod files;
mod operators;
mod people;
mod texts;
mod troubles;

use test_support::service::Service;

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
