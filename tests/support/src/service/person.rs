//! Users: created by the operator or by registration, signed in over HTTP.

use std::net::SocketAddr;

use charter_authn::secrets::access_token::AccessTokens;
use charter_authn::secrets::opaque_token::OpaqueToken;
use charter_authn::secrets::password;
use charter_authn::secrets::password::Workspace;
use charter_domain::audit::AuditContext;
use charter_domain::clock::Clock as _;
use charter_domain::email::EmailAddress;
use charter_domain::entropy::OsEntropy;
use charter_domain::id::{SessionId, UserId};
use charter_store::{NewSession, NewUser, VerifiedLogin};
use serde_json::{Value, json};

use super::{Anonymous, Persona, Request, Service, Tenant};
use crate::client::Answer;

pub const PASSWORD: &str = "correct horse battery";

/// A signed-in user.
#[derive(Clone)]
pub struct Person {
    /// As the portal shows it.
    pub id: String,
    pub email: String,
    pub token: String,
    /// The value of the refresh cookie.
    pub cookie: String,
    pub(super) address: SocketAddr,
}

impl Persona for Person {
    fn ask(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, None, method, target)
            .header("authorization", &format!("Bearer {}", self.token))
    }
}

impl Person {
    pub fn put(&self, target: &str, body: Value) -> Request {
        self.ask("PUT", target).json(&body)
    }

    /// Ends the session.
    pub async fn log_out(&self) -> Answer {
        self.ask("POST", "/api/auth/logout")
            .header("cookie", &format!("refresh_token={}", self.cookie))
            .await
    }

    pub fn refresh(&self) -> Request {
        Anonymous(self.address).refresh(&self.cookie)
    }
}

impl Anonymous {
    pub fn log_in(&self, email: &str, password: &str) -> Request {
        self.post(
            "/api/auth/login",
            json!({"email": email, "password": password}),
        )
    }

    pub fn refresh(&self, cookie: &str) -> Request {
        self.ask("POST", "/api/auth/refresh")
            .header("cookie", &format!("refresh_token={cookie}"))
    }
}

/// The refresh token that a response sets; checks the other attributes of the cookie.
#[track_caller]
pub fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    let (value, rest) = cookie.split_once(';').expect("attributes");
    let mut attributes: Vec<_> = rest.split(';').map(str::trim).collect();
    attributes.sort_unstable();
    let expected = [
        "HttpOnly",
        "Max-Age=2592000",
        "Path=/api/auth",
        "SameSite=Lax",
    ];
    assert_eq!(attributes, expected);
    value
        .strip_prefix("refresh_token=")
        .expect("its name")
        .to_owned()
}

impl Service {
    /// The user of a sign-in's response.
    #[track_caller]
    pub fn person(&self, email: &str, answer: &Answer) -> Person {
        let json = answer.ok();
        assert_eq!(json["token_type"], "Bearer");
        assert_eq!(json["expires_in"], 900);
        let token = json["access_token"].as_str().expect("a token").to_owned();
        let id = claims(&token)["sub"].as_str().expect("a person").to_owned();
        Person {
            id,
            email: email.to_owned(),
            token,
            cookie: cookie_of(answer),
            address: self.address(),
        }
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Person {
        let answer = self.anonymous().log_in(email, password).await;
        self.person(email, &answer)
    }

    /// Creates a session without hashing a password, for thousands of them.
    pub async fn session_of(&self, email: &str) -> Person {
        let address = EmailAddress::parse(email).expect("an address");
        let store = self.store();
        let login = store.find_login(&address).await.expect("an answer");
        let login = login.expect("a person");
        let user = login.user.clone();
        let cookie = OpaqueToken::generate(&OsEntropy);
        let now = self.clock.now();
        let session = NewSession {
            id: SessionId::generate(now, &OsEntropy),
            refresh_hash: cookie.hash(),
            refresh_expires_at: now + std::time::Duration::from_hours(30 * 24),
            user_agent: None,
        };
        let id = session.id;
        let verified = VerifiedLogin {
            login,
            rehashed: None,
        };
        let by = self.operator();
        store
            .sign_in(verified, session, &by)
            .await
            .expect("a session");
        let issuer = format!("http://{}", self.address());
        let tokens = AccessTokens::new(vec![self.token_key()], issuer).expect("a key");
        let token = tokens.issue(user.id, user.organization_id, id, now, &OsEntropy);
        Person {
            id: user.id.uuid().to_string(),
            email: email.to_owned(),
            token: token.expect("a token"),
            cookie: cookie.expose().to_owned(),
            address: self.address(),
        }
    }

    /// Registers and signs in without verifying the address.
    pub async fn register(&self, slug: &str) -> Person {
        let email = format!("owner@{slug}.example");
        let body = json!({"orgName": "Zoo", "orgSlug": slug, "ownerEmail": email, "ownerPassword": PASSWORD});
        self.anonymous().post("/api/auth/register", body).await.ok();
        self.sign_in(&email, PASSWORD).await
    }

    /// Verifies the address with the first link and the password, and signs in again.
    pub async fn verify(&self, person: &Person) -> Person {
        let token = self.link("verify-email", &person.email, 1).await;
        let body = json!({"token": token, "password": PASSWORD});
        let verified = self.anonymous().post("/api/auth/verify-email", body).await;
        assert_eq!(verified.ok(), json!({}));
        self.sign_in(&person.email, PASSWORD).await
    }

    /// All sent emails, oldest first: recipient and text.
    pub fn mails(&self) -> Vec<(String, String)> {
        let directory = self.directory().join("mail");
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
            .collect();
        files.sort();
        let read = |path| {
            let text = std::fs::read_to_string(path).expect("a mail");
            let to = text.lines().find_map(|line| line.strip_prefix("To: "));
            (to.expect("a recipient").to_owned(), text.clone())
        };
        files.into_iter().map(read).collect()
    }

    /// The token of the newest link of this kind to this address, once so many were sent.
    pub async fn link(&self, page: &str, to: &str, number: usize) -> String {
        let needle = format!("/{page}?token=");
        for _ in 0..2_000 {
            let found: Vec<_> = self
                .mails()
                .into_iter()
                .filter(|(recipient, text)| recipient == to && text.contains(&needle))
                .collect();
            if let Some((_, text)) = found.get(number - 1) {
                let (_, rest) = text.split_once(&needle).expect("a link");
                return rest.split_whitespace().next().expect("a token").to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("no mail number {number} with `{needle}` to {to}");
    }
}

/// The roles of the shipped policy folder.
#[derive(Clone, Copy)]
pub enum TeamRole {
    Owner,
    Admin,
    Member,
}

impl AsRef<str> for TeamRole {
    fn as_ref(&self) -> &str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }
}

impl Tenant<'_> {
    /// A signed-in user with this role and a verified address.
    pub async fn person(&self, role: impl AsRef<str>) -> Person {
        let name = role.as_ref();
        self.person_named(&format!("{name}@{}.example", self.organization.slug), name)
            .await
    }

    pub async fn person_named(&self, email: &str, role: impl AsRef<str>) -> Person {
        let by = self.service.operator();
        self.user(email, role, &by).await;
        self.service.sign_in(email, PASSWORD).await
    }

    /// A user with this role, a verified address and the password [`PASSWORD`].
    pub async fn user(&self, email: &str, role: impl AsRef<str>, by: &AuditContext) {
        let new = NewUser {
            id: UserId::generate(by.at, &OsEntropy),
            email: EmailAddress::parse(email).expect("an address"),
            password_hash: hashed().to_owned(),
            role: role.as_ref().to_owned(),
            email_verified_at: Some(by.at),
        };
        self.stored().by(by).create_user(new).await.expect("a user");
    }
}

/// The hash of [`PASSWORD`], computed once.
fn hashed() -> &'static str {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| {
        password::hash(&PASSWORD.into(), &OsEntropy, &mut Workspace::default()).expect("hashed")
    })
}

/// The device cookie that a response sets, in the form for a request; checks its other attributes.
#[track_caller]
pub fn device_of(answer: &Answer) -> String {
    let cookies = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let mut devices = cookies.filter(|(_, cookie)| cookie.starts_with("device="));
    let (_, cookie) = devices.next().expect("a device cookie");
    assert!(devices.next().is_none(), "{answer:?}");
    let (pair, rest) = cookie.split_once(';').expect("attributes");
    let mut attributes: Vec<_> = rest.split(';').map(str::trim).collect();
    attributes.sort_unstable();
    let expected = [
        "HttpOnly",
        "Max-Age=31536000",
        "Path=/api/auth",
        "SameSite=Lax",
    ];
    assert_eq!(attributes, expected);
    pair.to_owned()
}

/// The claims of a token, not verified.
pub fn claims(token: &str) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}
