//! Keeps all connections of a process on one PostgreSQL server, the one that takes writes.
//!
//! The address may lead to another server from one moment to the next, as when a standby is promoted. Connections to
//! the one before may live on, and what they read is not what the new one has.

use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Executor as _, Row as _};

use super::health::Health;

const QUESTION: &str = "SELECT pg_is_in_recovery(), pg_postmaster_start_time()::text";
const STANDBY: &str = "the server is a standby, which may lack what was acknowledged: let `database.url` lead to the \
                       primary, or promote this one";

/// The server that new connections lead to.
#[derive(Default)]
pub(super) struct Primary {
    /// When it was started, which tells it from the others.
    started: Mutex<Option<String>>,
    pools: Mutex<Vec<Weak<Health>>>,
}

impl Primary {
    /// Has the pool's connections closed when new ones lead to another server.
    pub(super) fn add(&self, pool: &Arc<Health>) {
        self.pools.lock().push(Arc::downgrade(pool));
    }

    /// To be called with each new connection, before it is used.
    ///
    /// # Errors
    ///
    /// That the server is a standby; those of the connection.
    pub(super) async fn check(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let row = connection.fetch_one(sqlx::raw_sql(QUESTION)).await?;
        if row.try_get(0)? {
            return Err(sqlx::Error::Io(io::Error::other(STANDBY)));
        }
        self.found(row.try_get(1)?);
        Ok(())
    }

    fn found(&self, started: String) {
        let before = self.started.lock().replace(started.clone());
        if before.is_none_or(|before| before == started) {
            return;
        }
        tracing::warn!(
            started,
            "the database's address leads to a server that was started at another time: connections to the one before \
             are closed"
        );
        for pool in self.pools.lock().iter().filter_map(Weak::upgrade) {
            pool.renew();
        }
    }
}
