//! A newcomer's way after `serve --demo`, without typing anything more into the terminal.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use test_support::policy_world::whole_copy_of_shipped;
use test_support::process::Home;

use super::browser::Browser;
use super::docs::{open, write};
use super::{at_the_desk, sign_in};

/// A demo in a terminal of its own (bsdutils' `script`).
struct Demo {
    terminal: Child,
    /// With the service's process id.
    process: PathBuf,
    portal: String,
    email: String,
    password: String,
    workbench: String,
    token: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // That the terminal hangs up does not end the service.
        if let Ok(id) = fs::read_to_string(&self.process) {
            let _ = Command::new("kill")
                .args(["-s", "KILL", id.trim()])
                .status();
        }
        let _ = self.terminal.kill();
        let _ = self.terminal.wait();
    }
}

impl Demo {
    /// Starts it, and reads what a newcomer reads.
    fn start(home: &Home) -> Self {
        let charter = home.command(&["serve", "--demo"]);
        let settings = charter.get_envs();
        let process = home.file("process");
        let mut terminal = Command::new("script")
            .args(["--quiet", "--flush", "--command"])
            .args([
                "echo $$ > \"$PROCESS\"; exec \"$CHARTER\" serve --demo",
                "/dev/null",
            ])
            .env_clear()
            .envs(settings.filter_map(|(name, value)| Some((name, value?))))
            .env("CHARTER", charter.get_program())
            .env("PROCESS", &process)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("script runs");
        let mut output = BufReader::new(terminal.stdout.take().expect("its output"));
        let mut next = |start: &str| {
            let mut line = String::new();
            while output.read_line(&mut line).expect("text") > 0 {
                if let Some(rest) = line.trim_end().strip_prefix(start) {
                    return rest.to_owned();
                }
                line.clear();
            }
            panic!("nothing begins with `{start}`");
        };
        let portal = next("  http://");
        let email = next("  ");
        let password = next("  password ");
        let workbench = next("  http://");
        let token = next("  operator token ");
        // So that the pipe does not fill up.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self {
            terminal,
            process,
            portal: format!("http://{portal}"),
            email,
            password,
            workbench: format!("http://{workbench}"),
            token,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_needs_no_terminal_after_the_demo_has_started() {
    let folder = whole_copy_of_shipped();
    let home = Home::new()
        .with(
            "CHARTER__POLICIES__DIR",
            &folder.path().display().to_string(),
        )
        .with("CHARTER__POLICIES__CHECK_TIMEOUT", "100s");
    at_the_desk(|| {
        let demo = Demo::start(&home);
        let Some(portal) = Browser::open(&demo.portal) else {
            return;
        };
        sign_in(&portal, &demo.email, &demo.password);
        make_a_key_and_use_it(&portal);
        let workbench = Browser::open(&demo.workbench).expect("a second browser");
        workbench.visit("/");
        workbench.arrive_at("Sign in");
        workbench.fill("Operator token", &demo.token);
        workbench.press("Sign in");
        workbench.arrive_at("Policies in force");
        break_a_policy(&workbench, folder.path());
        explain_the_denial(&workbench);
        look_at_figures_over_time(&workbench);
    });
}

/// Its first request is seen to arrive, and its second is denied.
fn make_a_key_and_use_it(browser: &Browser) {
    browser.press("Service accounts");
    browser.press("Create a service account");
    browser.arrive_at("Create a service account");
    browser.fill("Name", "My first program");
    browser.tick("Get organization");
    browser.press("Create the service account");
    browser.arrive_at("My first program");
    browser.press("Create a key");
    browser.press("Create the key");
    browser.see("Waiting for its first request…");
    let access_key = browser.copyable("Access key");
    let secret_key = browser.copyable("Secret key");
    let new_key = browser.open_tab();
    browser.visit("/docs");
    browser.see("organizations:GetOrganization");
    browser.tick("Sign with an access key");
    browser.fill("Access key", &access_key);
    browser.fill("Secret key", &secret_key);
    open(browser, "operations-organizations-getOrganization");
    browser.press("Execute");
    browser.see("\"name\": \"Acme Corporation\"");
    open(browser, "operations-organizations-updateOrganization");
    write(browser, "textarea", r#"{"name": "Mine now"}"#);
    browser.press("Execute");
    browser.see("NOT_PERMITTED");
    browser.go_to_tab(&new_key);
    browser.see("Its first request has arrived.");
    browser.press("I have stored the secret");
    browser.see(&access_key);
    browser.assert_quiet();
}

fn break_a_policy(browser: &Browser, folder: &Path) {
    let file = folder.join("roles.cedar");
    let sound = fs::read_to_string(&file).expect("a file");
    fs::write(&file, format!("{sound}\npermit (")).expect("an edit");
    browser.see("A newer folder is refused");
    browser.press("See why");
    browser.arrive_at("Refused edit");
    browser.see("unexpected end of input");
    browser.see("roles.cedar");
    fs::write(&file, sound).expect("an edit");
    browser.see("No edit is refused");
    browser.assert_quiet();
}

fn explain_the_denial(browser: &Browser) {
    browser.press("Decisions");
    browser.arrive_at("Decisions");
    browser.choose("Outcome", "Denied");
    browser.press("Filter");
    browser.see("1 shown");
    browser.open_first(".decisions summary");
    browser.see("No policy permits it");
    browser.wait_for(".decisions .near .line-bad .note");
    browser.assert_quiet();
}

/// Each picture has its table.
fn look_at_figures_over_time(browser: &Browser) {
    browser.press("Charts");
    browser.arrive_at("Charts");
    browser.wait_for("svg[aria-label^='Decisions a second, lately'] polyline.chart-good");
    browser.wait_for(
        "svg[aria-label*='by permission, lately organizations:UpdateOrganization'] \
         polyline.chart-bad",
    );
    browser.wait_for("svg[aria-label^='Latency of all requests, lately half'] polyline");
    for name in ["rates", "denials", "latency"] {
        browser.open_first(&format!("details[data-name={name}] > summary"));
        browser.wait_for(&format!("details[data-name={name}][open] tbody tr"));
    }
    browser.see("In proportion");
    browser
        .wait_for("svg[aria-label^='Edits over time: 1 taken and 1 refused'] polyline.chart-bad");
    browser.assert_quiet();
}
