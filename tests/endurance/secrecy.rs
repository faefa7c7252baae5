//! Nothing secret reaches the log, the terminal, the database or the journal.

mod users;

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use test_support::on_both_engines;
use test_support::process::Home;
use test_support::services::TestDatabase;
use test_support::signed_client::{Client, Credentials, Protocol, Signed};

/// What must not be seen, and what it is.
#[derive(Default)]
struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    fn add(&mut self, what: &str, bytes: impl AsRef<[u8]>) {
        let secret = (what.to_owned(), bytes.as_ref().to_vec());
        if !self.0.contains(&secret) {
            self.0.push(secret);
        }
    }

    /// A key's bytes, in any spelling.
    fn add_material(&mut self, what: &str, bytes: &[u8]) {
        self.add(what, bytes);
        let hex = |upper: bool| {
            let digit = |byte: &u8| {
                if upper {
                    format!("{byte:02X}")
                } else {
                    format!("{byte:02x}")
                }
            };
            bytes.iter().map(digit).collect::<String>()
        };
        self.add(what, hex(false));
        self.add(what, hex(true));
        self.add(what, STANDARD.encode(bytes).trim_end_matches('='));
        self.add(what, URL_SAFE_NO_PAD.encode(bytes));
        // As `Debug` writes an array.
        let list: Vec<String> = bytes.iter().map(ToString::to_string).collect();
        self.add(what, list.join(", "));
    }

    fn add_secret_key(&mut self, secret_key: &str) {
        let rest = secret_key.strip_prefix("charter_sk_").expect("its prefix");
        let (random, _checksum) = rest.split_at(43);
        // Also without its prefix, and decoded.
        self.add("a secret key", random);
        self.add_material(
            "a secret key",
            &URL_SAFE_NO_PAD.decode(random).expect("base64url"),
        );
    }

    fn add_signature(&mut self, signed: &Signed) {
        self.add_material(
            "a signature",
            &STANDARD.decode(&signed.signature).expect("base64"),
        );
    }

    #[track_caller]
    fn assert_absent_from_dump(&self, dump: &[u8]) {
        self.assert_absent_from("the database", dump);
        let spelled = self
            .0
            .iter()
            .map(|(what, secret)| (what.clone(), hex::encode(secret).into()));
        Self(spelled.collect()).assert_absent_from("bytes of the database", dump);
    }

    #[track_caller]
    fn assert_absent_from(&self, place: &str, bytes: &[u8]) {
        for (what, secret) in &self.0 {
            assert!(secret.len() >= 16, "{what} is too short to look for");
            let found = memchr::memmem::find(bytes, secret);
            let around = found.map(|at| {
                let from = at.saturating_sub(200);
                String::from_utf8_lossy(&bytes[from..bytes.len().min(at + 40)]).into_owned()
            });
            assert!(found.is_none(), "{what} stands in {place}: {around:?}");
        }
    }
}

fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Requests of every kind, good and bad.
async fn scenario(client: &mut Client, manager: &Credentials, secrets: &mut Secrets) {
    let mut send = async |signed: Signed| {
        secrets.add_signature(&signed);
        let answer = client.try_send(&signed).await;
        answer.map(|answer| {
            if answer.body.is_empty() {
                serde_json::Value::Null
            } else {
                answer.json()
            }
        })
    };
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    send(manager.sign("GET", "/organizations/info", "")).await;
    send(manager.sign("PATCH", "/organizations/info", r#"{"name":"New name"}"#)).await;
    let made = send(manager.sign(
        "POST",
        "/service-accounts",
        r#"{"name":"one","permissions":["organizations:GetOrganization"]}"#,
    ))
    .await;
    let keys = format!(
        "/service-accounts/{}/keys",
        text(&made.expect("an answer")["id"])
    );
    let key = send(manager.sign("POST", &keys, "{}"))
        .await
        .expect("an answer");
    let rotate = format!("{keys}/{}/rotate", text(&key["id"]));
    let rotated = send(manager.sign("POST", &rotate, "{}"))
        .await
        .expect("an answer");
    let fresh = Credentials::new(&text(&rotated["access_key"]), &text(&rotated["secret_key"]));
    let again = fresh.sign("GET", "/organizations/info", "");
    send(again.clone()).await;
    send(again).await;
    send(fresh.sign("GET", "/accounts", "")).await;
    send(manager.sign("DELETE", &format!("{keys}/{}", text(&rotated["id"])), "")).await;
    send(fresh.sign("GET", "/organizations/info", "")).await;
    // Wrong in each way that authentication knows, and one that only HTTP does.
    send(manager.sign_with("GET", "/accounts", "", "2020-01-01T00:00:00Z", "12345678")).await;
    let wrong = Credentials::new(&manager.access_key, "sk_live_wrong");
    send(wrong.sign("GET", "/accounts", "")).await;
    let mut cut = manager.sign("GET", "/accounts", "");
    cut.access_key.push('ä');
    send(cut).await;
    let mut other_body = manager.sign("POST", "/accounts", r#"{"name":"one"}"#);
    other_body.body.push(' ');
    send(other_body).await;
    send(manager.sign("POST", "/accounts", "{")).await;
    send(manager.sign("GET", "/accounts?page=x", "")).await;
    for secret_key in [&key["secret_key"], &rotated["secret_key"]] {
        secrets.add_secret_key(&text(secret_key));
    }
}

on_both_engines!(no_secret_is_logged_or_stored_in_the_clear);

async fn no_secret_is_logged_or_stored_in_the_clear(database: TestDatabase) {
    let on_sqlite = database.url().starts_with("sqlite");
    let gateway = format!("gateway:{}", users::GATEWAY_TOKEN);
    let home = if on_sqlite {
        Home::new()
    } else {
        Home::on(database)
    };
    let home = home
        .with("CHARTER__LOG__LEVEL", "trace")
        .with("CHARTER__ACCESS__TOKENS", &gateway);
    let mut secrets = Secrets::default();
    secrets.add("the gateway's token", users::GATEWAY_TOKEN);
    // Once to be made, once to be read again.
    let mut said = String::new();
    for (round, protocol) in [Protocol::Http1, Protocol::Http2].into_iter().enumerate() {
        let charter = home.serve();
        for credentials in [charter.writer(), charter.reader(), charter.manager()] {
            secrets.add_secret_key(&credentials.secret_key);
        }
        secrets.add(
            "the password",
            charter.demo.value("CHARTER_PORTAL_PASSWORD"),
        );
        let mut client = Client::new(charter.main, protocol);
        scenario(&mut client, &charter.manager(), &mut secrets).await;
        users::scenario(&home, &charter, round, &mut secrets).await;
        // Killed in between, so that the write-ahead log is there to be looked at.
        if said.is_empty() {
            charter.kill();
            said.push('\n');
        } else {
            // Before it is folded into the database.
            assert_eq!(home.data().join("charter.db-wal").exists(), on_sqlite);
            assert_files_are_clean(&home, on_sqlite, &secrets);
            said += &charter.stop();
        }
    }
    let keys = fs::read_to_string(home.data().join("keys.toml")).expect("the demo's keys");
    let mut materials = 0;
    for quoted in keys.split('"').skip(1).step_by(2) {
        match quoted.split_once(':') {
            Some((_id, encoded)) => secrets.add_material(
                "a key of the settings",
                &STANDARD.decode(encoded).expect("base64"),
            ),
            None => secrets.add("the operator token", quoted),
        }
        materials += 1;
    }
    assert_eq!(materials, 6);
    let log = home.log();
    assert!(log.contains("TRACE"), "nothing was traced");
    secrets.assert_absent_from("the log", log.as_bytes());
    secrets.assert_absent_from("the terminal", said.as_bytes());
    assert_files_are_clean(&home, on_sqlite, &secrets);
    if !on_sqlite {
        secrets.assert_absent_from_dump(&dump(&home));
    }
    let verified = home.verify_audit();
    secrets.assert_absent_from("what a command prints", verified.out.as_bytes());
    secrets.assert_absent_from("what a command logs", verified.err.as_bytes());
}

/// All tables of the PostgreSQL database, as text; bytes are hexadecimal.
fn dump(home: &Home) -> Vec<u8> {
    let dump = Command::new("pg_dump")
        .arg("--data-only")
        .arg(home.database_url())
        .output();
    let dump = dump.expect("pg_dump is installed with the server");
    assert!(
        dump.status.success(),
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
    assert!(memchr::memmem::find(&dump.stdout, b"owner@zoo1.example").is_some());
    dump.stdout
}

fn assert_files_are_clean(home: &Home, on_sqlite: bool, secrets: &Secrets) {
    let mut looked_at = Vec::new();
    for file in files_below(&home.data()) {
        let name = file
            .strip_prefix(home.data())
            .expect("below")
            .display()
            .to_string();
        // Those that exist to hold secrets, for their owner alone.
        if ["keys.toml", "demo.env"].contains(&name.as_str()) || name.starts_with("mail/") {
            let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&file).expect("a file"));
            assert_eq!(mode & 0o777, 0o600, "{name}");
            continue;
        }
        secrets.assert_absent_from(&name, &fs::read(&file).expect("a file"));
        looked_at.push(name);
    }
    let has_database = looked_at.iter().any(|name| name == "charter.db");
    assert_eq!(has_database, on_sqlite, "{looked_at:?}");
    assert!(
        looked_at.iter().any(|name| name.starts_with("replay/")),
        "{looked_at:?}"
    );
}
