//! Databases for tests: one of its own for each test, gone when the test ends.

use charter_store::Config;
use tempfile::TempDir;

pub mod faults;
pub mod pgbouncer;
mod postgres;
pub mod proxy;
pub mod redis;

/// An audit key for tests.
pub const AUDIT_SECRET: [u8; 32] = [7; 32];

/// A database that belongs to one test.
pub struct TestDatabase {
    url: String,
    directory: TempDir,
    /// Dropped with the test: the database goes with it.
    _postgres: Option<postgres::Database>,
}

impl TestDatabase {
    /// A new SQLite file, not migrated.
    pub fn sqlite() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let url = format!("sqlite://{}/charter.db", directory.path().display());
        Self {
            url,
            directory,
            _postgres: None,
        }
    }

    /// A new PostgreSQL database, migrated; `None` where PostgreSQL is not installed.
    pub async fn postgres() -> Option<Self> {
        Self::on_postgres(postgres::Template::Migrated).await
    }

    /// A new PostgreSQL database without a table; `None` where PostgreSQL is not installed.
    pub async fn empty_postgres() -> Option<Self> {
        Self::on_postgres(postgres::Template::Empty).await
    }

    async fn on_postgres(template: postgres::Template) -> Option<Self> {
        let server = postgres::server().await?;
        let database = server.create_database(template).await;
        Some(Self {
            url: database.url().to_owned(),
            directory: TempDir::new().expect("a temporary directory"),
            _postgres: Some(database),
        })
    }

    /// What [`charter_store::Store::open`] takes, as `CHARTER__DATABASE__URL` does.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A directory of the test's own; a SQLite database is `charter.db` in it.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Settings for a store on this database, heads in `audit-heads.jsonl` of its directory.
    pub fn config(&self) -> Config {
        config(&self.url, self.directory())
    }
}

/// Settings for a store on that database, heads in `audit-heads.jsonl` of that directory.
pub fn config(url: &str, directory: &std::path::Path) -> Config {
    Config {
        connection: charter_store::ConnectionConfig {
            url: url.into(),
            max_readers: 3,
            acquire_timeout: std::time::Duration::from_secs(10),
            statement_timeout: std::time::Duration::from_secs(10),
        },
        ping_after_idle: std::time::Duration::ZERO,
        is_server: false,
        may_create: true,
        audit_keys: vec![charter_store::AuditKey {
            id: "audit-1".to_owned(),
            secret: AUDIT_SECRET.to_vec().into(),
        }],
        audit_heads: Some(directory.join("audit-heads.jsonl")),
    }
}

/// Says loudly that something is not installed and what needs it is not tested; with
/// `CHARTER_REQUIRE_SERVICES=1` that is a failure.
pub fn left_out(what: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "whether services are required is said to the test run, not to the service"
    )]
    let required = std::env::var("CHARTER_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(!required, "{what} is required and not installed");
    eprintln!("LEFT OUT: {what} is not installed, nothing was tested with it");
}

/// A bare connection to a test's database, for what the store does not do.
pub async fn connect(url: &str) -> sea_orm::DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options)
        .await
        .expect("a connection")
}

/// Makes of each `async fn name(database: TestDatabase)` two tests, one on each engine:
/// `sqlite::name` and `postgres::name`. The databases are not migrated on SQLite, which is quick,
/// and are on PostgreSQL; `migrate_up` settles either.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::services::TestDatabase::sqlite()).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(database) = $crate::services::TestDatabase::postgres().await {
                        super::$name(database).await;
                    }
                }
            )+
        }
    };
}
