//! A backup that is restored (docs/operating.md, Restoring).

use std::fs;

use serde_json::{Value, json};
use test_support::client::{Answer, Client};
use test_support::process::{Charter, Home};

async fn send(charter: &Charter, request: String) -> Answer {
    let mut client = Client::connect(charter.main).await;
    client.write(request).await;
    client.answer().await.expect("an answer")
}

/// An access token, and the refresh token's cookie.
async fn sign_in(charter: &Charter) -> (String, String) {
    let value = |name| charter.demo.value(name).to_owned();
    let body = json!({
        "email": value("CHARTER_PORTAL_EMAIL"),
        "password": value("CHARTER_PORTAL_PASSWORD"),
    });
    let body = body.to_string();
    let request = format!(
        "POST /api/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = send(charter, request).await;
    let cookie = answer.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().unwrap_or(cookie).to_owned();
    assert!(cookie.starts_with("refresh_token="), "{cookie}");
    let signed_in: Value = answer.ok();
    let token = signed_in["access_token"].as_str();
    (token.expect("a token").to_owned(), cookie)
}

/// The status of the user's own profile with that token.
async fn me(charter: &Charter, token: &str) -> u16 {
    let request =
        format!("GET /api/portal/me HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
    send(charter, request).await.status
}

async fn sign_out(charter: &Charter, token: &str, cookie: &str) {
    let request = format!(
        "POST /api/auth/logout HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\
         authorization: Bearer {token}\r\ncontent-length: 0\r\n\r\n"
    );
    let status = send(charter, request).await.status;
    assert!((200..300).contains(&status), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ended_after_the_backup_is_ended_again_by_sign_out() {
    // Access tokens are good after a restart on another port, too.
    let home = Home::new().with("CHARTER__PORTAL__BASE_URL", "http://127.0.0.1:8080");
    let charter = home.serve();
    let (token, cookie) = sign_in(&charter).await;
    assert_eq!(me(&charter, &token).await, 200);
    charter.stop();
    let (database, backup) = (home.data().join("charter.db"), home.data().join("backup"));
    fs::copy(&database, &backup).expect("a backup");

    let charter = home.serve();
    sign_out(&charter, &token, &cookie).await;
    assert_eq!(me(&charter, &token).await, 401);
    charter.stop();

    fs::copy(&backup, &database).expect("restored");
    let charter = home.serve();
    assert_eq!(me(&charter, &token).await, 200, "open again");
    charter.stop();
    let out = home.run(&["user", "--demo", "sign-out", "--all"]).success();
    assert_eq!(out, "{\"ended_sessions\":1}\n");
    let charter = home.serve();
    assert_eq!(me(&charter, &token).await, 401);
    charter.stop();
}
