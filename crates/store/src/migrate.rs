//! Migrates the schema up or down. Of several processes one works and the others wait.

use std::time::Duration;

use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

use super::connect::Transaction;
use super::{Error, Store};

/// An arbitrary number that nothing else locks: `charter` in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(27980790435702130)";

/// Less than PostgreSQL's `deadlock_timeout` of a second: of a migration and requests that wait for one another the
/// migration gives up, and requests wait no longer than this.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";
/// More than it, for each fifth attempt: after `deadlock_timeout` an autovacuum that holds the lock is cancelled. A
/// request that waits for the migration at the same time may get a 503 then.
const LONG_LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1500ms'";
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    pub name: String,
    pub applied: bool,
    /// Whether this program has it. Otherwise a later version applied it, and lets this one run.
    pub known: bool,
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    /// So many steps.
    Down(u32),
}

impl Store {
    /// Applies all pending migrations in one transaction. Where services use the database, it gives way to their
    /// requests and tries again, for a minute.
    ///
    /// # Errors
    ///
    /// [`Error::SchemaTooNew`].
    pub async fn migrate_up(&self) -> Result<(), Error> {
        self.migrate(Direction::Up).await
    }

    /// Reverts the last `steps` migrations **with their data**, in one transaction. Fails while a server runs, and
    /// keeps servers from starting meanwhile. Waits for locks as [`Store::migrate_up`] does.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] and [`Error::SchemaTooNew`], also where the later version lets this one run.
    pub async fn migrate_down(&self, steps: u32) -> Result<(), Error> {
        self.migrate(Direction::Down(steps)).await
    }

    async fn migrate(&self, direction: Direction) -> Result<(), Error> {
        let began = self.clock.monotonic();
        let mut attempt: u32 = 0;
        loop {
            attempt = attempt.saturating_add(1);
            let lock_timeout = if attempt.is_multiple_of(5) {
                LONG_LOCK_TIMEOUT
            } else {
                LOCK_TIMEOUT
            };
            let migrated = match direction {
                Direction::Up => self.apply_pending(lock_timeout).await,
                Direction::Down(steps) => self.revert(steps, lock_timeout).await,
            };
            let waited = self.clock.monotonic().saturating_sub(began);
            match migrated {
                Err(error) if error.is_lock_conflict() && waited < LONGEST_WAIT => {
                    let cause = error.with_cause();
                    tracing::info!(
                        cause,
                        "the migration waits for a lock of the database; retrying"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
                migrated => return migrated,
            }
        }
    }

    async fn apply_pending(&self, lock_timeout: &str) -> Result<(), Error> {
        let status = self.migration_status().await?;
        if status.iter().all(|one| one.applied) {
            if let Some(later) = status.iter().rfind(|one| !one.known) {
                let migration = &*later.name;
                tracing::warn!(
                    migration,
                    "a later version has migrated the database; it lets this one run"
                );
            }
            return Ok(());
        }
        require_own(&status)?;
        let transaction = self.begin_migration(lock_timeout).await?;
        Migrator::up(transaction.for_migrations(), None).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn revert(&self, steps: u32, lock_timeout: &str) -> Result<(), Error> {
        require_own(&self.migration_status().await?)?;
        let transaction = self.begin_migration(lock_timeout).await?;
        let _alone = self.presence.require_nobody(&transaction).await?;
        Migrator::down(transaction.for_migrations(), Some(steps)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The migrations of this program, oldest first, and then those of later versions that let it run.
    ///
    /// # Errors
    ///
    /// [`Error::SchemaTooNew`] if the database has others.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, Error> {
        let applied = "SELECT version FROM seaql_migrations ORDER BY version";
        let applied = self.rows_if_there("seaql_migrations", applied).await?;
        let applied = applied.iter().map(|row| row.try_get("", "version"));
        let applied: Vec<String> = applied.collect::<Result<_, _>>()?;
        let migrations = Migrator::migrations();
        let known: Vec<&str> = migrations.iter().map(|one| one.name()).collect();
        let later = applied
            .iter()
            .filter(|name| !known.contains(&name.as_str()));
        let later: Vec<&String> = later.collect();
        self.require_compatible(&later, &known).await?;
        let own = known.iter().map(|&name| MigrationStatus {
            name: name.to_owned(),
            applied: applied.iter().any(|applied| applied == name),
            known: true,
        });
        let later = later.into_iter().map(|name| MigrationStatus {
            name: name.clone(),
            applied: true,
            known: false,
        });
        Ok(own.chain(later).collect())
    }

    /// Each later migration says in the database which migrations a program needs to work beside it.
    async fn require_compatible(&self, later: &[&String], known: &[&str]) -> Result<(), Error> {
        if later.is_empty() {
            return Ok(());
        }
        let declared = "SELECT name, needs FROM compatible_migrations";
        let mut compatible = Vec::new();
        for row in self
            .rows_if_there("compatible_migrations", declared)
            .await?
        {
            let (name, needs): (String, String) =
                (row.try_get("", "name")?, row.try_get("", "needs")?);
            if known.contains(&needs.as_str()) {
                compatible.push(name);
            }
        }
        match later.iter().find(|name| !compatible.contains(name)) {
            Some(&name) => Err(Error::SchemaTooNew(name.clone())),
            None => Ok(()),
        }
    }

    /// The query's rows; none if the table does not exist yet.
    async fn rows_if_there(&self, table: &str, sql: &str) -> Result<Vec<QueryResult>, Error> {
        let backend = self.reader.get_database_backend();
        let exists = match backend {
            DbBackend::Sqlite => format!(
                "SELECT count(*) AS tables FROM sqlite_schema \
                 WHERE type = 'table' AND name = '{table}'"
            ),
            _ => format!("SELECT count(to_regclass('{table}')) AS tables"),
        };
        let query = |sql: &str| Statement::from_string(backend, sql);
        let tables: i64 = match self.reader.query_one_raw(query(&exists)).await? {
            Some(row) => row.try_get("", "tables")?,
            None => 0,
        };
        if tables == 0 {
            return Ok(Vec::new());
        }
        Ok(self.reader.query_all_raw(query(sql)).await?)
    }

    /// On SQLite the transaction itself is the lock.
    async fn begin_migration(&self, lock_timeout: &str) -> Result<Transaction, Error> {
        let transaction = self.writer.begin_alone().await?.unhurried();
        if transaction.get_database_backend() == DbBackend::Postgres {
            for statement in [lock_timeout, "SET LOCAL statement_timeout = 0", LOCK] {
                transaction.execute_unprepared(statement).await?;
            }
        }
        Ok(transaction)
    }
}

/// Only the version that has a migration can change the schema beside it.
fn require_own(status: &[MigrationStatus]) -> Result<(), Error> {
    match status.iter().find(|one| !one.known) {
        Some(later) => Err(Error::SchemaTooNew(later.name.clone())),
        None => Ok(()),
    }
}
