//! A browser that does what a person does: looks for words, clicks, types (W3C `WebDriver`, spoken to Debian's
//! `chromedriver`).

mod gestures;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use test_support::policy_solver::program;
use test_support::services::left_out;
use ureq::Agent;
use ureq::http::{Method, Request};

/// The name under which `WebDriver` hands out an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Debian's Chromium without a window's frame, which needs a third of the processor time. Not the command of that name:
/// it is a script that ends without the browser that it has started.
const HEADLESS_SHELL: &str = "/usr/lib/chromium/chromium-headless-shell";

/// How often a driver may fail to get a port.
const DRIVER_STARTS: usize = 5;

/// Milliseconds for which something on a page is waited for. Nothing takes so long: reaching it is a failure.
const LONGEST_WAIT: u32 = 120_000;

/// Answers when the page is so that `find` returns something. It looks again whenever the page has changed, but not
/// at each part of a change: what can be seen costs a layout.
const WAIT: &str = "
const done = arguments[arguments.length - 1];
const given = [...arguments].slice(0, -1);
const isSeen = (element) => element.checkVisibility() && !element.closest('[inert]');
const top = () => [...document.querySelectorAll('dialog[open]')].pop() ?? document;
const look = () => {
  const found = find(...given);
  if (found) { observer.disconnect(); done(found); }
};
let due = null;
const observer = new MutationObserver(() => { due ??= setTimeout(() => { due = null; look(); }, 20); });
observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
look();
";

/// The button or link with these words, in the topmost dialog if there is one.
const BUTTON: &str = "(words) => [...top().querySelectorAll('button, a, summary')].find((it) => isSeen(it) \
    && (it.getAttribute('aria-label') ?? it.textContent.trim()) === words)";

/// The control that this label names.
const FIELD: &str = "(label) => { const of = [...top().querySelectorAll('label')].find((it) => isSeen(it) \
    && it.textContent.trim().startsWith(label)); return of && document.getElementById(of.htmlFor); }";

/// One person's browser, with a profile of its own.
pub(super) struct Browser {
    driver: Child,
    /// The browser's own process.
    process: Option<Pid>,
    /// Open as long as the driver may write to it.
    _output: BufReader<ChildStdout>,
    agent: Agent,
    session: String,
    service: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends the browser, too. A test that has failed says so itself: nothing here is to hide that.
        let _ = self.try_send("DELETE", "", &Value::Null);
        if let Some(process) = self.process {
            // Gone already, as a rule.
            let _ = kill_process(process, Signal::KILL);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A driver, its output, and its port; `None` if it ended instead of taking one.
fn start_driver() -> Option<(Child, BufReader<ChildStdout>, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver starts");
    let mut output = BufReader::new(driver.stdout.take().expect("its output"));
    let lines = output.by_ref().lines().map_while(Result::ok);
    let port = lines.into_iter().find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        let _ended = driver.wait();
    }
    Some((driver, output, port?))
}

impl Browser {
    /// Opens one that visits that service; `None`, said aloud, where there is none on this machine.
    pub(super) fn open(service: &str) -> Option<Self> {
        let shell = Some(PathBuf::from(HEADLESS_SHELL)).filter(|it| it.exists());
        let browser = shell.or_else(|| program("chromium"));
        let (Some(binary), Some(_)) = (browser, program("chromedriver")) else {
            left_out("chromium, chromium-driver");
            return None;
        };
        // The free port that it takes may be taken on the other loopback address; then it ends.
        let started = std::iter::repeat_with(start_driver).take(DRIVER_STARTS);
        let (driver, output, port) = started.flatten().next().expect("chromedriver starts");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut browser = Self {
            driver,
            process: None,
            _output: output,
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
            service: service.to_owned(),
        };
        let options = json!({
            "binary": binary,
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"],
        });
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
            // The test runner ends what hangs.
            "timeouts": {"script": LONGEST_WAIT},
        }}});
        let made = browser.send("POST", "", &capabilities);
        let process = made["capabilities"]["goog:processID"].as_i64();
        browser.process = process.and_then(|it| Pid::from_raw(i32::try_from(it).ok()?));
        let id = made["sessionId"].as_str().expect("a session");
        browser.session = format!("{}/{id}", browser.session);
        Some(browser)
    }

    /// Looks at pages with that width and colour scheme from now on.
    pub(super) fn look(&self, width: u32, is_dark: bool) {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &media);
    }

    /// Cuts the network off, or joins it again.
    pub(super) fn set_offline(&self, is_offline: bool) {
        self.devtools("Network.enable", &json!({}));
        let network = json!({
            "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        self.devtools("Network.emulateNetworkConditions", &network);
    }

    /// Opens another tab and goes there; returns the one before.
    pub(super) fn open_tab(&self) -> String {
        let before = self.send("GET", "/window", &Value::Null);
        let opened = self.send("POST", "/window/new", &json!({"type": "tab"}));
        self.go_to_tab(opened["handle"].as_str().expect("a tab"));
        before.as_str().expect("a tab").to_owned()
    }

    pub(super) fn go_to_tab(&self, tab: &str) {
        self.send("POST", "/window", &json!({"handle": tab}));
    }

    /// A command of the browser's own protocol.
    fn devtools(&self, command: &str, given: &Value) {
        let body = json!({"cmd": command, "params": given});
        self.send("POST", "/goog/cdp/execute", &body);
    }

    /// Goes to a page by its address.
    pub(super) fn visit(&self, path: &str) {
        let url = format!("{}{path}", self.service);
        self.send("POST", "/url", &json!({"url": url}));
    }

    /// Path and query of the page.
    pub(super) fn path(&self) -> String {
        let url = self.send("GET", "/url", &Value::Null);
        let url = url.as_str().expect("an address");
        url.strip_prefix(&self.service)
            .expect("a page of the service")
            .to_owned()
    }

    /// Waits until these words can be seen.
    pub(super) fn see(&self, words: &str) {
        self.wait("(words) => document.body.innerText.includes(words)", words);
    }

    /// Waits until these words cannot be seen any more.
    pub(super) fn gone(&self, words: &str) {
        self.wait("(words) => !document.body.innerText.includes(words)", words);
    }

    /// Waits until the page has this heading.
    pub(super) fn arrive_at(&self, heading: &str) {
        self.wait(
            "(words) => [...document.querySelectorAll('h1')].some((it) => it.textContent.trim() === words)",
            heading,
        );
    }

    /// Waits until the page has a heading, and nothing there is still loading.
    pub(super) fn settle(&self) {
        self.wait(
            "() => document.querySelector('h1') && document.readyState === 'complete' \
             && ![...document.querySelectorAll('.state[role=status]')].length",
            "",
        );
    }

    /// Clicks the button or link with these words, as they are read aloud.
    pub(super) fn press(&self, words: &str) {
        self.act(BUTTON, words, &[("click", json!({}))]);
    }

    /// Types into the field with this label, in the place of what is there.
    pub(super) fn fill(&self, label: &str, text: &str) {
        let steps = [("clear", json!({})), ("value", json!({"text": text}))];
        self.act(FIELD, label, &steps);
    }

    /// Ticks the box with this label.
    pub(super) fn tick(&self, label: &str) {
        self.act(FIELD, label, &[("click", json!({}))]);
    }

    /// What is in the field with this label.
    pub(super) fn value(&self, label: &str) -> String {
        let found = self.wait(FIELD, label);
        let path = format!("/element/{}/property/value", element(&found));
        let value = self.send("GET", &path, &Value::Null);
        value.as_str().expect("a text").to_owned()
    }

    /// What stands in the box for copying with this label.
    pub(super) fn copyable(&self, label: &str) -> String {
        let found = self.wait(
            "(label) => top().querySelector(`pre[aria-label='${label}']`)",
            label,
        );
        let path = format!("/element/{}/text", element(&found));
        let text = self.send("GET", &path, &Value::Null);
        text.as_str().expect("a text").to_owned()
    }

    /// Keeps a picture of the page in `target/tmp/console`, for a person to look at.
    pub(super) fn keep(&self, name: &str) {
        let picture = self.send("GET", "/screenshot", &Value::Null);
        let picture = STANDARD.decode(picture.as_str().expect("a picture"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}.png")), picture.expect("base64")).expect("a file");
    }

    /// Runs a script in the page.
    pub(super) fn script(&self, script: &str) -> Value {
        self.send(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// Finds something and does that to it; once more if the page was changed between the two.
    fn act(&self, find: &str, given: &str, steps: &[(&str, Value)]) {
        loop {
            let found = self.wait(find, given);
            let done = steps.iter().try_for_each(|(command, body)| {
                let path = format!("/element/{}/{command}", element(&found));
                self.try_send("POST", &path, body).map(drop)
            });
            match done {
                Ok(()) => return,
                Err(error) if error["error"] == "stale element reference" => {}
                Err(error) => panic!("`{given}`: {error}"),
            }
        }
    }

    /// What the page complained about: errors of scripts and violations of its policy. That a request was refused
    /// is an answer, and no complaint.
    #[track_caller]
    pub(super) fn assert_quiet(&self) {
        let entries = self.send("POST", "/se/log", &json!({"type": "browser"}));
        let complaints: Vec<_> = entries
            .as_array()
            .expect("entries")
            .iter()
            .filter(|it| it["level"] == "SEVERE" || it["level"] == "WARNING")
            .filter(|it| {
                let message = it["message"].as_str().unwrap_or_default();
                !(it["source"] == "network" && message.contains("with a status of 4"))
            })
            .collect();
        assert!(complaints.is_empty(), "{complaints:?}");
    }

    fn wait(&self, find: &str, given: &str) -> Value {
        let script = format!("const find = {find};\n{WAIT}");
        let body = json!({"script": script, "args": [given]});
        loop {
            match self.try_send("POST", "/execute/async", &body) {
                Ok(found) => return found,
                // Another page, or another element, came in its place meanwhile: it is asked, too.
                Err(error)
                    if error["message"].as_str().is_some_and(|it| {
                        it.contains("document unloaded") || it.contains("stale element")
                    }) => {}
                Err(error) => panic!("waiting for `{given}`: {error}"),
            }
        }
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_send(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The answer's value; where it is an error, that.
    fn try_send(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method.parse::<Method>().expect("a method"))
            .uri(format!("{}{path}", self.session))
            .header("content-type", "application/json")
            .body(body)
            .expect("a request");
        let fault = |error: ureq::Error| json!({"message": error.to_string()});
        let mut answer = self.agent.run(request).map_err(fault)?;
        let text = answer.body_mut().read_to_string().map_err(fault)?;
        let mut answer_body: Value = serde_json::from_str(&text).expect("JSON");
        let value = answer_body["value"].take();
        if answer.status().is_success() {
            Ok(value)
        } else {
            Err(value)
        }
    }
}

fn element(found: &Value) -> &str {
    found[ELEMENT]
        .as_str()
        .unwrap_or_else(|| panic!("an element: {found}"))
}
