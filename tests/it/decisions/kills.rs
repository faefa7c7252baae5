//! `kill -9` under load: the log goes on, and is not mistaken for one that somebody changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use test_support::choices::Choices;
use test_support::process::{Charter, Home};
use test_support::signed_client::Client;
use tokio::task::JoinSet;

/// Readers at work until the service dies.
fn load(charter: &Charter) -> (JoinSet<()>, Arc<AtomicUsize>) {
    let (mut readers, answered) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..6 {
        let (reader, mut client) = (charter.reader(), Client::http1(charter.main));
        let answered = Arc::clone(&answered);
        readers.spawn(async move {
            loop {
                let request = reader.sign("GET", "/organizations/info", "");
                if client.try_send(&request).await.is_none() {
                    break;
                }
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    (readers, answered)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_outlives_kills_and_verifies() {
    let home = Home::new()
        .with("CHARTER__DECISIONS__ROTATE_BYTES", "20000")
        .with("CHARTER__DECISIONS__ALLOWED_PER_SECOND", "0");
    let mut choices = Choices::new(3);
    for _ in 0..4 {
        let charter = home.serve();
        let (readers, answered) = load(&charter);
        let enough = 50 + choices.below(300);
        while answered.load(Ordering::SeqCst) < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        charter.kill();
        readers.join_all().await;
        let verified = home.run(&["policy", "verify-log", "--demo"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
    home.serve().stop();
    let verified = home.run(&["policy", "verify-log", "--demo"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let log = home.data().join("decisions").display().to_string();
    let replayed = home.run(&["policy", "replay", "--demo", &log]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    // And whoever edits it afterwards is found out, with file and line.
    let file = super::files(&home.data().join("decisions")).remove(0);
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, text.replacen("\"allow\"", "\"deny\"", 1)).expect("edited");
    let edited = home.run(&["policy", "verify-log", "--demo"]);
    assert_eq!(edited.code, Some(1), "{edited:?}");
    let name = file
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    assert!(edited.out.starts_with(&format!("{name}:")), "{edited:?}");
}
