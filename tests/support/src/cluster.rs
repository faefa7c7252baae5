//! Two `charter` processes on one PostgreSQL and one Redis, with one key.

use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::timestamp;

use crate::process::{Charter, Home};
use crate::services::TestDatabase;
use crate::services::redis::Redis;
use crate::signed_client::{Answer, Client, Credentials, Signed, nonce};

const INFO: &str = "/organizations/info";

pub struct Cluster<R> {
    pub redis: R,
    pub homes: [Home; 2],
    pub config: String,
    pub robot: Credentials,
}

impl Cluster<Redis> {
    /// `None` where PostgreSQL or Redis is not installed.
    pub async fn new() -> Option<Self> {
        Self::with_settings(&[]).await
    }

    /// With further settings, whose names are without `CHARTER__`.
    pub async fn with_settings(settings: &[(&str, &str)]) -> Option<Self> {
        let redis = Redis::start()?;
        let url = redis.url();
        let settings = [settings, &[("REPLAY__URL", &url)]].concat();
        Self::on(redis, &settings).await
    }
}

impl<R> Cluster<R> {
    /// With those settings, and `None` where PostgreSQL is not installed.
    pub async fn on(redis: R, settings: &[(&str, &str)]) -> Option<Self> {
        let database = TestDatabase::postgres().await?;
        let url = database.url().to_owned();
        let shared = |mut home: Home| {
            for (name, value) in settings {
                home = home.with(&format!("CHARTER__{name}"), value);
            }
            home
        };
        let homes = [
            shared(Home::on(database)),
            shared(Home::new()).with("CHARTER__DATABASE__URL", &url),
        ];
        Some(Self::of(redis, homes, &[]))
    }

    /// In homes that have one database and one Redis; the key has further permissions.
    pub fn of(redis: R, homes: [Home; 2], permissions: &[&str]) -> Self {
        let homes = homes.map(|home| {
            home.with("CHARTER__REPLAY__STORE", "redis")
                .with("CHARTER__POLICIES__PROOFS", "off")
        });
        let config = homes[0].with_new_keys();
        let run = |arguments: &[&str]| homes[0].run(arguments).success();
        run(&["migrate", &config, "up"]);
        run(&[
            "organization",
            &config,
            "create",
            "--name=Acme",
            "--slug=acme",
        ]);
        let own = [
            "organizations:GetOrganization",
            "organizations:UpdateOrganization",
            "decisions:GetDecision",
            "decisions:ListDecisions",
        ];
        let (robot, _) = issue(&homes[0], &config, "robot", &[&own, permissions].concat());
        Self {
            redis,
            homes,
            config,
            robot,
        }
    }

    /// With more settings for each home.
    pub fn map_homes(self, with: impl FnMut(Home) -> Home) -> Self {
        Self {
            homes: self.homes.map(with),
            ..self
        }
    }

    /// Another service account with a key, and its id.
    pub fn issue(&self, name: &str, permissions: &[&str]) -> (Credentials, String) {
        issue(&self.homes[0], &self.config, name, permissions)
    }

    pub fn serve(&self) -> [Charter; 2] {
        [&self.homes[0], &self.homes[1]].map(|home| home.start(&["serve", &self.config]))
    }

    pub fn read(&self) -> Signed {
        self.robot.sign("GET", INFO, "")
    }

    /// Of a client whose clock is ahead: in no half minute that was marked.
    pub fn ahead(&self) -> Signed {
        let date = SystemClock::start().now() + std::time::Duration::from_secs(90);
        let date = timestamp::format(date);
        let nonce = nonce();
        self.robot.sign_with("GET", INFO, "", &date, &nonce)
    }

    pub fn write(&self, name: &str) -> Signed {
        self.robot
            .sign("PATCH", INFO, &format!(r#"{{"name":"{name}"}}"#))
    }
}

fn issue(home: &Home, config: &str, name: &str, permissions: &[&str]) -> (Credentials, String) {
    let name = format!("--name={name}");
    let permissions: Vec<_> = permissions
        .iter()
        .map(|permission| format!("--permission={permission}"))
        .collect();
    let mut arguments = vec!["key", config, "issue", "acme", &name];
    arguments.extend(permissions.iter().map(String::as_str));
    let key = home.run(&arguments).success();
    let key: serde_json::Value = serde_json::from_str(&key).expect("json");
    let text = |name: &str| key[name].as_str().expect("a text").to_owned();
    let credentials = Credentials::new(&text("access_key"), &text("secret_key"));
    (credentials, text("service_account_id"))
}

pub async fn send(to: &Charter, request: &Signed) -> Answer {
    Client::http1(to.main).send(request).await
}

pub fn stop(charters: [Charter; 2]) {
    for charter in charters {
        charter.stop();
    }
}

/// Asks until it is not 503; the last answer.
pub async fn once_it_serves(to: &Charter, request: impl Fn() -> Signed) -> Answer {
    loop {
        let answer = send(to, &request()).await;
        if answer.status != 503 {
            return answer;
        }
    }
}
