//! A question to a domain of one's own has a bounded size, whatever its schema declares.

use serde_json::{Value, json};
use test_support::services::TestDatabase;

use super::domains::{Folder, started};
use super::{Asks as _, question};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_too_large_names_the_part_that_is() {
    let folder = Folder::with(&["records"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let path = "/domains/records/access/v1/evaluation";
    let read = question(("user", "alice"), "read", ("record", "record-1"));
    let text = |length: usize| Value::from("x".repeat(length));
    for (pointer, value, is_too_large) in [
        ("/context", json!(vec![0; 999]), false),
        ("/context", json!(vec![0; 1_000]), true),
        ("/context", text(64 * 1024 - 1), false),
        ("/context", text(64 * 1024), true),
        ("/subject/properties", json!(vec![json!({}); 1_000]), true),
        ("/resource/properties", text(64 * 1024), true),
    ] {
        let mut asked = read.clone();
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        let parent = asked.pointer_mut(parent).expect("an object");
        parent[member] = json!({"x": value});
        let answer = service.ask(path, &asked).await;
        if is_too_large {
            assert_eq!(answer.status, 400, "{pointer}");
            let details = &answer.json()["error"]["details"];
            assert_eq!(details[0]["field"], pointer, "{details}");
        } else {
            assert_eq!(answer.ok()["decision"], json!(true), "{pointer}");
        }
    }
    service.stop().await;
}
