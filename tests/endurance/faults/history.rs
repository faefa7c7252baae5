//! What clients were told over all lives of a service, and whether it is true.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use test_support::client::{get, send};
use test_support::process::{Charter, Home};
use test_support::signed_client::Client;
use test_support::signed_client::WAIT_TIMEOUT;

use crate::ledger::Ledger;
use crate::load::{Load, Outcome};

#[derive(Default)]
pub(crate) struct History {
    told: Outcome,
    /// Addresses of people whose registration was acknowledged.
    registered: Vec<String>,
    /// Services that have begun.
    lives: usize,
    /// Writes that were already sent once more.
    replayed: usize,
    /// Denials that were looked for.
    looked_for: usize,
}

impl History {
    pub(crate) fn acknowledged(&self) -> usize {
        self.told.writes.iter().filter(|it| it.acknowledged).count()
    }

    pub(crate) const fn lives(&self) -> usize {
        self.lives
    }

    /// Work for a service that has just begun; what clients sent to its predecessors is spent there, too.
    pub(crate) async fn go_on(&mut self, charter: &Charter) -> Load {
        const LAST: usize = 10;
        let mut client = Client::http1(charter.main);
        let new = self.told.writes.get(self.replayed..).unwrap_or_default();
        let acknowledged = new.iter().filter(|write| write.acknowledged);
        for write in acknowledged.rev().take(LAST) {
            let answer = client.send(&write.request).await;
            // Closed after a crash, or the fault kept the guard from opening.
            let code = answer.code();
            assert!(
                ["REPLAYED_NONCE", "CLOCK_SKEW", "UNAVAILABLE"].contains(&&*code),
                "{} is answered {} {code}",
                write.name,
                answer.status
            );
        }
        self.replayed = self.told.writes.len();
        self.lives += 1;
        Load::under_faults(charter, &format!("write {}", self.lives))
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.told.writes.extend(outcome.writes);
        self.told.denials.extend(outcome.denials);
    }

    /// Somebody registers, who is to get a mail.
    pub(crate) async fn register(&mut self, charter: &Charter) {
        let number = self.registered.len();
        let person = format!("{}-{number}", self.lives);
        let email = format!("ada@zoo-{person}.example");
        let body = json!({
            "orgName": "Zoo",
            "orgSlug": format!("zoo-{person}"),
            "ownerEmail": email,
            "ownerPassword": "correct horse battery",
            "captchaToken": "unused",
        });
        let body = body.to_string();
        let request = format!(
            "POST /api/auth/register HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = send(charter.main, request).await;
        if answer.status == 503 {
            return;
        }
        assert!([200, 201].contains(&answer.status), "{}", answer.json());
        self.registered.push(email);
    }

    /// Everything that was told is true of what is left. `keeps_decisions`: the service that has ended
    /// has written down all of its decisions.
    pub(crate) async fn verify(&mut self, home: &Home, keeps_decisions: bool) {
        let ledger = Ledger::read(home).await;
        ledger.assert_consistent();
        ledger.assert_kept(&self.told.writes);
        home.verify_audit();
        let verified = home.run(&["policy", "verify-log", "--demo"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        if keeps_decisions {
            let written = texts(&home.data().join("decisions"));
            let written: HashSet<&str> = written.split('"').collect();
            let new = self.told.denials.get(self.looked_for..);
            for denial in new.unwrap_or_default() {
                assert!(written.contains(&**denial), "no line of {denial}");
            }
        }
        self.looked_for = self.told.denials.len();
        self.verify_mails(home, ledger.waiting_mails);
    }

    /// Each mail is a whole file, or waits.
    fn verify_mails(&self, home: &Home, waiting: usize) {
        let directory = home.data().join("mail");
        let mails: Vec<String> = std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|it| it == "eml"))
            .map(|path| std::fs::read_to_string(path).expect("text"))
            .collect();
        let is_there = |email: &&String| mails.iter().any(|mail| mail.contains(&***email));
        let sent = self.registered.iter().filter(is_there).count();
        assert!(
            sent + waiting >= self.registered.len(),
            "{sent} mails and {waiting} waiting, of {}",
            self.registered.len()
        );
        for mail in mails {
            assert!(mail.ends_with("--\r\n"), "half a mail: {mail}");
        }
    }
}

/// All files of a directory.
fn texts(directory: &Path) -> String {
    let files = std::fs::read_dir(directory).expect("a directory");
    let files = files.map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a file"));
    files
        .map(|file| String::from_utf8_lossy(&file).into_owned())
        .collect()
}

/// Until the service says that nothing is wrong with it.
pub(crate) async fn until_ready(charter: &Charter) {
    let mut said = String::new();
    let ready = async {
        while !said.starts_with(r#"{"status":"ok""#) {
            let answer = get(charter.operations, "/readyz").await;
            said = String::from_utf8(answer.body).expect("text");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ready = tokio::time::timeout(WAIT_TIMEOUT, ready).await;
    assert!(ready.is_ok(), "it does not become ready again: {said}");
}

/// It takes writes again, and says that it is well.
pub(crate) async fn recover(charter: &Charter, load: &Load) {
    let before = load.acknowledged();
    load.wait_for(before + 12).await;
    until_ready(charter).await;
}
