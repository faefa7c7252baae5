//! The service in this process with real listeners, database, replay guard and policies; only the clock is the
//! test's.

mod answer;
mod clock;
mod person;
mod persona;
mod request;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use charter::app::serve::{Server, Serving};
use charter::app::{App, provision};
use charter::settings::{Settings, keys};
use charter::telemetry::metrics::Recorder;
use charter_authn::nonces::NonceStore;
use charter_domain::audit::AuditContext;
use charter_domain::entropy::OsEntropy;
use charter_domain::id::OrganizationId;
use charter_domain::text::Name;
use charter_http::state::State;
use charter_store::{NewOrganization, Store};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::process::Outcome;
use crate::services::TestDatabase;

pub use answer::members;
pub use clock::TestClock;
pub use person::{PASSWORD, Person, TeamRole, claims, cookie_of, device_of};
pub use persona::{Anonymous, Grants, Persona, Signer, Tenant, everything, everything_but};
pub use request::{Request, Signature, all_at_once, new_nonce};

/// A running service.
pub struct Service {
    pub clock: Arc<TestClock>,
    serving: Serving,
    stop: CancellationToken,
    token_key: (String, [u8; 32]),
    settings: String,
    /// Dropped last, which removes the database and its directory.
    database: TestDatabase,
}

impl Service {
    /// Starts on this database.
    pub async fn on(database: TestDatabase) -> Self {
        Self::with(database, "").await
    }

    /// Starts with additional settings in TOML.
    pub async fn with(database: TestDatabase, more: &str) -> Self {
        Self::with_all(database, "", more).await
    }

    /// Starts with additional settings in `[server]`.
    pub async fn with_server(database: TestDatabase, more: &str) -> Self {
        Self::with_all(database, more, "").await
    }

    /// Starts with a policy folder whose examples must pass, and additional settings.
    pub async fn with_folder(database: TestDatabase, dir: &Path, more: &str) -> Self {
        let policies = format!(
            "tests = \"required\"\nproofs = \"off\"\ndir = \"{}\"",
            dir.display()
        );
        Self::start(database, "", &policies, more).await
    }

    /// Starts with additional settings in `[policies]`.
    pub async fn with_policies(database: TestDatabase, policies: &str) -> Self {
        Self::start(database, "", policies, "").await
    }

    /// Starts with additional settings in `[server]` and `[policies]`.
    pub async fn with_server_and_policies(
        database: TestDatabase,
        of_server: &str,
        policies: &str,
    ) -> Self {
        Self::start(database, of_server, policies, "").await
    }

    /// Starts with additional settings in `[server]` and elsewhere.
    pub async fn with_all(database: TestDatabase, of_server: &str, more: &str) -> Self {
        // Requirements on edits are tested elsewhere.
        let policies = format!(
            "tests = \"off\"\nproofs = \"off\"\ndir = \"{}/policies\"",
            crate::repository().display()
        );
        Self::start(database, of_server, &policies, more).await
    }

    async fn start(database: TestDatabase, of_server: &str, policies: &str, more: &str) -> Self {
        let directory = database.directory();
        let text = format!(
            "data_dir = \"{}\"\n{}\n[server]\nlisten = \"127.0.0.1:0\"\nops_listen = \"127.0.0.1:0\"\n{of_server}\n\
             [database]\nurl = \"{}\"\nmax_readers = 4\nacquire_timeout = \"10s\"\n\
             statement_timeout = \"10s\"\n[policies]\n{policies}\n{more}",
            directory.display(),
            *keys::generate(&OsEntropy),
            database.url(),
        );
        // By default every decision is logged, and refreshes are rare.
        let all = [
            ("CHARTER__SERVER__SHUTDOWN_DRAIN", "0s"),
            ("CHARTER__DECISIONS__ALLOWED_PER_SECOND", "0"),
            ("CHARTER__PORTAL__REFRESHES_PER_MINUTE", "60"),
        ]
        .into_iter()
        .filter(|(name, _)| {
            let setting = name.rsplit("__").next().unwrap_or(name);
            !more.contains(&setting.to_lowercase())
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::from_sources(&text, all).expect("settings");
        let clock = Arc::new(TestClock::default());
        let recorder = Recorder::install().expect("a recorder");
        let token_keys = &settings.require_keys().expect("keys").token;
        let token_key = token_keys.first().expect("a token key");
        let token_key = (token_key.id().to_owned(), *token_key.expose());
        let server = Server::bind(&settings).expect("two ports");
        let entropy = Arc::new(OsEntropy);
        let app = App::build(
            &settings,
            &server.base_url(),
            crate::binary(),
            clock.clone(),
            entropy,
            recorder,
        )
        .await
        .expect("a service");
        let stop = CancellationToken::new();
        Self {
            serving: server.start(app, &settings, &stop),
            clock,
            stop,
            token_key,
            settings: text,
            database,
        }
    }

    /// Stops it and waits for running requests.
    pub async fn stop(self) {
        self.stop.cancel();
        self.serving.stopped().await;
    }

    pub fn address(&self) -> SocketAddr {
        self.serving.main_address()
    }

    pub fn operations_address(&self) -> SocketAddr {
        self.serving.operations_address()
    }

    pub fn state(&self) -> &State {
        self.shared_state()
    }

    pub fn store(&self) -> &Store {
        &self.serving.app().store
    }

    pub fn shared_state(&self) -> &Arc<State> {
        &self.serving.app().state
    }

    /// The replay guard, for tests that do not wait for its periodic maintenance.
    pub fn replay_guard(&self) -> &dyn NonceStore {
        &*self.serving.app().replay
    }

    /// The deletion of expired data, for tests that do not wait for it.
    pub fn expiry(&self) -> charter::app::background::Expiry {
        self.serving.app().expiry()
    }

    pub fn operator(&self) -> AuditContext {
        provision::operator(&*self.clock)
    }

    pub async fn organization(&self, slug: &str) -> Tenant<'_> {
        let new = NewOrganization {
            name: Name::parse("Acme Corporation").expect("a name"),
            slug: slug.parse().expect("a slug"),
        };
        let by = self.operator();
        let made = self.store().create_organization(new, &by).await;
        let (organization, account) = made.expect("an organization");
        Tenant {
            service: self,
            organization,
            account,
        }
    }

    /// Actor, object and changes of every event of this action.
    pub async fn audited(&self, action: &str) -> Vec<(String, String, String)> {
        use sea_orm::ConnectionTrait as _;
        let raw = crate::services::connect(self.database.url()).await;
        let text = format!(
            "SELECT actor, resource, changes FROM audit_events WHERE action = '{action}' \
             ORDER BY organization_id, sequence"
        );
        let statement = sea_orm::Statement::from_string(raw.get_database_backend(), text);
        let rows = raw.query_all_raw(statement).await.expect("an answer");
        let text = |row: &sea_orm::QueryResult, at| row.try_get_by_index(at).expect("text");
        rows.iter()
            .map(|row| (text(row, 0), text(row, 1), text(row, 2)))
            .collect()
    }

    /// Adds copies of the organization's last audit event, with the action `test.Filled` and without MACs.
    pub async fn fill_audit_events(&self, organization: OrganizationId, many: u32) {
        use sea_orm::ConnectionTrait as _;
        let raw = crate::services::connect(self.database.url()).await;
        let backend = raw.get_database_backend();
        let (series, from) = match backend {
            sea_orm::DbBackend::Postgres => {
                (String::new(), format!("generate_series(1, {many}) n"))
            }
            _ => (
                format!(
                    "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {many})"
                ),
                "s".to_owned(),
            ),
        };
        let text = format!(
            "{series} INSERT INTO audit_events SELECT e.organization_id, e.sequence + n, e.occurred_at, e.actor, \
             'test.Filled', e.resource, e.request_id, e.policy_digest, e.changes, e.key_id, e.mac \
             FROM audit_events e, {from} WHERE e.organization_id = $1 AND e.sequence = \
             (SELECT max(sequence) FROM audit_events WHERE organization_id = $1)"
        );
        let values = [organization.uuid().into()];
        let statement = sea_orm::Statement::from_sql_and_values(backend, text, values);
        raw.execute_raw(statement).await.expect("events");
    }

    /// The number of queued emails.
    pub async fn waiting_mails(&self) -> i64 {
        use sea_orm::ConnectionTrait as _;
        let raw = crate::services::connect(self.database.url()).await;
        let text = "SELECT count(*) FROM jobs";
        let statement = sea_orm::Statement::from_string(raw.get_database_backend(), text);
        let row = raw.query_one_raw(statement).await.expect("an answer");
        row.expect("a row").try_get_by_index(0).expect("a number")
    }

    /// The key of access tokens: its id and seed.
    pub fn token_key(&self) -> (String, [u8; 32]) {
        self.token_key.clone()
    }

    /// As TOML.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// What a command prints that is given the service's own settings, and must succeed.
    #[track_caller]
    pub fn told(&self, arguments: &[&str]) -> String {
        self.ran(arguments).success()
    }

    /// What a command does that is given the service's own settings.
    pub fn ran(&self, arguments: &[&str]) -> Outcome {
        let config = self.directory().join("settings.toml");
        std::fs::write(&config, self.settings()).expect("a file");
        let output = std::process::Command::new(crate::binary())
            .args(arguments)
            .arg("--config")
            .arg(&config)
            .output()
            .expect("a command");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Outcome {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    pub fn directory(&self) -> &std::path::Path {
        self.database.directory()
    }

    pub fn anonymous(&self) -> Anonymous {
        Anonymous(self.address())
    }

    /// An anonymous client of the operations listener.
    pub fn operator_side(&self) -> Anonymous {
        Anonymous(self.serving.operations_address())
    }

    /// The separate listener for gateways, if there is one.
    pub fn access_address(&self) -> Option<SocketAddr> {
        self.serving.access_address()
    }

    /// The holder of a newly created key.
    pub fn holder(&self, new_key: &Value) -> Signer {
        let text = |name: &str| new_key[name].as_str().expect(name).to_owned();
        Signer {
            id: text("service_account_id"),
            key_id: text("id"),
            signature: Signature {
                access_key: text("access_key"),
                secret_key: text("secret_key"),
                clock: self.clock.clone(),
            },
            address: self.address(),
        }
    }
}

/// Makes two tests of each `async fn name(service: &Service)`, one for each database.
#[macro_export]
macro_rules! on_both_services {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let database = $crate::services::TestDatabase::sqlite();
                    let service = $crate::service::Service::on(database).await;
                    super::$name(&service).await;
                    service.stop().await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    // Not migrated: in an existing database, the replay guard would miss its journal.
                    let database = $crate::services::TestDatabase::empty_postgres().await;
                    let Some(database) = database else { return };
                    let service = $crate::service::Service::on(database).await;
                    super::$name(&service).await;
                    service.stop().await;
                }
            )+
        }
    };
}
