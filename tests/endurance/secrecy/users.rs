//! What people, gateways and operators hold: passwords, tokens, cookies, links.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::client::{Answer, send};
use test_support::process::{Charter, Home};

use super::Secrets;

/// Of the gateway, in the settings.
pub(super) const GATEWAY_TOKEN: &str = "gateway-token-that-nobody-else-has";

/// Signs up, in, out; loses and changes passwords; invites; asks as a gateway and as an operator.
pub(super) async fn scenario(home: &Home, charter: &Charter, round: usize, secrets: &mut Secrets) {
    let session = sign_up(home, charter, round, secrets).await;
    let session = change_all(home, charter, round, &session, secrets).await;
    let main = charter.main;
    let both = format!(
        "authorization: Bearer {}\r\ncookie: refresh_token={}\r\n",
        session.token, session.cookie
    );
    ask(main, "POST", "/api/auth/logout", &both, "")
        .await
        .expect(200);
    ask_as_others(home, charter, &session.token, secrets).await;
}

/// Registers, verifies and signs in, and tries each of it with what is wrong.
async fn sign_up(home: &Home, charter: &Charter, round: usize, secrets: &mut Secrets) -> Session {
    let main = charter.main;
    let (slug, email) = (format!("zoo{round}"), format!("owner@zoo{round}.example"));
    let first = password(round, secrets, "first");
    let registration =
        json!({"orgName": "Zoo", "orgSlug": slug, "ownerEmail": email, "ownerPassword": first});
    post(main, "register", "", &registration).await.expect(200);
    let link = link(home, "verify-email", &email, secrets).await;
    let wrong = password(round, secrets, "wrong");
    let body = json!({"token": link, "password": wrong});
    post(main, "verify-email", "", &body).await.expect(400);
    let body = json!({"token": link, "password": first});
    post(main, "verify-email", "", &body).await.expect(200);

    let login = |password: &str| json!({"email": email, "password": password});
    post(main, "login", "", &login(&wrong)).await.expect(401);
    let session = Session::of(&post(main, "login", "", &login(&first)).await, secrets);
    let bearer = format!("authorization: Bearer {}\r\n", session.token);
    ask(main, "GET", "/api/portal/me", &bearer, "")
        .await
        .expect(200);
    let forged = format!("authorization: Bearer {}x\r\n", session.token);
    ask(main, "GET", "/api/portal/me", &forged, "")
        .await
        .expect(401);
    let spaced = format!("authorization: Bearer {} \u{1}\r\n", session.token);
    ask(main, "GET", "/api/portal/me", &spaced, "").await;
    let cookie = format!("cookie: refresh_token={}\r\n", session.cookie);
    let next = Session::of(
        &ask(main, "POST", "/api/auth/refresh", &cookie, "").await,
        secrets,
    );
    let device = format!(
        "cookie: device={}\r\n",
        session.device.expect("of a browser")
    );
    post(main, "login", &device, &login(&wrong))
        .await
        .expect(401);
    next
}

/// Changes the password, invites, and resets the password.
async fn change_all(
    home: &Home,
    charter: &Charter,
    round: usize,
    session: &Session,
    secrets: &mut Secrets,
) -> Session {
    let (main, email) = (charter.main, format!("owner@zoo{round}.example"));
    let (first, wrong) = (
        password(round, secrets, "first"),
        password(round, secrets, "wrong"),
    );
    let bearer = format!("authorization: Bearer {}\r\n", session.token);
    let second = password(round, secrets, "second");
    let change = json!({"currentPassword": wrong, "newPassword": second});
    post(main, "change-password", &bearer, &change)
        .await
        .expect(400);
    let change = json!({"currentPassword": first, "newPassword": second});
    post(main, "change-password", &bearer, &change)
        .await
        .expect(200);

    let invited = format!("keeper@zoo{round}.example");
    let invitation = json!({"email": invited, "role": "member"}).to_string();
    ask(
        main,
        "POST",
        "/api/portal/team/invite",
        &bearer,
        &invitation,
    )
    .await
    .expect(200);
    let link_of = self::link(home, "accept-invitation", &invited, secrets).await;
    let third = password(round, secrets, "third");
    let body = json!({"token": link_of, "password": third});
    Session::of(&post(main, "accept-invitation", "", &body).await, secrets);

    post(main, "forgot-password", "", &json!({"email": email}))
        .await
        .expect(200);
    let link_of = self::link(home, "reset-password", &email, secrets).await;
    let fourth = password(round, secrets, "fourth");
    let body = json!({"token": link_of, "newPassword": fourth});
    post(main, "reset-password", "", &body).await.expect(200);
    post(main, "reset-password", "", &body).await.expect(400);
    let login = json!({"email": email, "password": fourth});
    Session::of(&post(main, "login", "", &login).await, secrets)
}

/// As a gateway, and as an operator in a browser.
async fn ask_as_others(home: &Home, charter: &Charter, token: &str, secrets: &mut Secrets) {
    let gateway = format!("x-charter-authorization: Bearer {GATEWAY_TOKEN}\r\n");
    let asked = format!(
        "{gateway}authorization: Bearer {token}\r\nx-forwarded-method: GET\r\nx-forwarded-uri: /invoices?q=1\r\n"
    );
    ask(
        charter.operations,
        "GET",
        "/access/v1/forward-auth",
        &asked,
        "",
    )
    .await;
    let own = format!("authorization: Bearer {GATEWAY_TOKEN}\r\n");
    ask(
        charter.operations,
        "POST",
        "/access/v1/evaluation",
        &own,
        "{",
    )
    .await
    .expect(400);
    let wrong = format!("authorization: Bearer {GATEWAY_TOKEN}, too\r\n");
    ask(
        charter.operations,
        "POST",
        "/access/v1/evaluation",
        &wrong,
        "{}",
    )
    .await
    .expect(401);

    let keys = fs::read_to_string(home.data().join("keys.toml")).expect("the demo's keys");
    let (_, operator) = keys
        .split_once("ops_token = \"")
        .expect("the operator token");
    let operator = operator.split('"').next().expect("a quote");
    let operator = format!("authorization: Bearer {operator}\r\n");
    let answer = ask(charter.operations, "POST", "/session", &operator, "").await;
    let cookie = cookies(&answer).remove(0);
    let value = cookie.split_once('=').expect("a pair").1;
    secrets.add("an operator's session", value);
    ask(
        charter.operations,
        "GET",
        "/policies",
        &format!("cookie: {cookie}\r\n"),
        "",
    )
    .await
    .expect(200);
}

/// A password that stands for this purpose in this round.
fn password(round: usize, secrets: &mut Secrets, what: &str) -> String {
    let password = format!("{what} password of round {round}, long enough");
    secrets.add("a password", &password);
    password
}

/// What a sign-in gives.
struct Session {
    token: String,
    cookie: String,
    device: Option<String>,
}

impl Session {
    #[track_caller]
    fn of(answer: &Answer, secrets: &mut Secrets) -> Self {
        answer.expect(200);
        let token = answer.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        let (_, signature) = token.rsplit_once('.').expect("a signature");
        secrets.add("an access token", signature);
        let cookies = cookies(answer);
        let mut named = |name: &str| {
            let value = cookies.iter().find_map(|cookie| cookie.strip_prefix(name));
            let value = value.map(ToOwned::to_owned);
            secrets.0.extend(
                value
                    .iter()
                    .map(|it| (format!("a cookie {name}"), it.clone().into())),
            );
            value
        };
        Self {
            cookie: named("refresh_token=").expect("a cookie"),
            device: named("device="),
            token,
        }
    }
}

fn cookies(answer: &Answer) -> Vec<String> {
    let set = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    set.map(|(_, value)| value.split(';').next().expect("a pair").to_owned())
        .collect()
}

async fn post(main: SocketAddr, what: &str, headers: &str, body: &Value) -> Answer {
    let path = format!("/api/auth/{what}");
    ask(main, "POST", &path, headers, &body.to_string()).await
}

async fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let kind = if body.is_empty() {
        ""
    } else {
        "content-type: application/json\r\n"
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\n{kind}{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    send(address, request).await
}

/// The token of the newest such link to this address, once it is there.
async fn link(home: &Home, page: &str, to: &str, secrets: &mut Secrets) -> String {
    let needle = format!("/{page}?token=");
    for _ in 0..2_000 {
        let mails = fs::read_dir(home.data().join("mail")).into_iter().flatten();
        for mail in mails.map(|mail| mail.expect("an entry").path()) {
            let text = fs::read_to_string(&mail).unwrap_or_default();
            let Some((_, rest)) = text.split_once(&needle) else {
                continue;
            };
            if text.contains(&format!("To: {to}")) {
                let token = rest.split_whitespace().next().expect("a token").to_owned();
                secrets.add("a link's token", &token);
                return token;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no mail with `{needle}` to {to}");
}

trait Expected {
    fn expect(&self, status: u16);
}

impl Expected for Answer {
    #[track_caller]
    fn expect(&self, status: u16) {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
    }
}
