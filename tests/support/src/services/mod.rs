//! Databases for tests, one for each, removed when the test ends.

use charter_store::Config;
use tempfile::TempDir;

pub mod certificates;
pub mod faults;
pub mod link;
pub mod pgbouncer;
mod postgres;
pub mod private_postgres;
pub mod proxy;
pub mod redis;
pub mod sentinel;
pub mod standby;

pub const AUDIT_SECRET: [u8; 32] = [7; 32];

/// A database of one test.
pub struct TestDatabase {
    url: String,
    directory: TempDir,
    /// Dropped with the test, which removes the database.
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

    /// A new, migrated PostgreSQL database; `None` if PostgreSQL is not installed.
    pub async fn postgres() -> Option<Self> {
        Self::on_postgres(postgres::Template::Migrated).await
    }

    /// A new PostgreSQL database without tables; `None` if PostgreSQL is not installed.
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

    /// An empty database that somebody else removes.
    pub fn at(url: String) -> Self {
        Self {
            url,
            directory: TempDir::new().expect("a temporary directory"),
            _postgres: None,
        }
    }

    /// For `CHARTER__DATABASE__URL` and [`charter_store::Store::open`].
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A temporary directory; a SQLite database is `charter.db` in it.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// The configuration of a store on this database, with its heads in `audit-heads.jsonl` of its directory.
    pub fn config(&self) -> Config {
        config(&self.url, self.directory())
    }
}

/// The configuration of a store with its heads in `audit-heads.jsonl` of this directory.
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

/// Reports that a program is not installed and its tests are skipped; with `CHARTER_REQUIRE_SERVICES=1` that
/// fails.
pub fn left_out(what: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "whether services are required is said to the test run, not to the service"
    )]
    let required = std::env::var("CHARTER_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(!required, "{what} is required and not installed");
    eprintln!("LEFT OUT: {what} is not installed, nothing was tested with it");
}

/// A plain connection to a test's database.
pub async fn connect(url: &str) -> sea_orm::DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Box::pin(sea_orm::Database::connect(options))
        .await
        .expect("a connection")
}

/// Makes two tests of each `async fn name(database: TestDatabase)`, `sqlite::name` and `postgres::name`. Only the
/// PostgreSQL database is migrated, because migrating SQLite is quick; `migrate_up` works for both.
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
