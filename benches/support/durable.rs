//! The minimum cost of a write: a guarded UPDATE in its own transaction on SQLite, durable when it is
//! acknowledged, through one connection, as the service has one for writes.

use std::path::Path;
use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection as _, Executor as _, SqliteConnection, query};

use crate::load::{Measured, Times};

/// Runs so many updates in this file, which may be an existing database.
pub(crate) fn updates(file: &Path, count: usize) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let connection = SqliteConnection::connect_with(&options).await;
        let mut connection = connection.expect("connected");
        let make = "CREATE TABLE IF NOT EXISTS bench \
                    (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, n INTEGER NOT NULL)";
        connection.execute(make).await.expect("a table");
        let row = "INSERT OR REPLACE INTO bench VALUES (1, x'00', 0)";
        connection.execute(row).await.expect("a row");
        let mut times = Times::default();
        let began = Instant::now();
        for n in 0..count {
            let n = i64::try_from(n).expect("a small number");
            let began = Instant::now();
            let update = "UPDATE bench SET n = n + 1, hash = ? WHERE id = 1 AND n = ?";
            connection.execute("BEGIN IMMEDIATE").await.expect("begun");
            let update = query(update).bind(n.to_be_bytes().repeat(4)).bind(n);
            let done = update.execute(&mut connection).await.expect("updated");
            assert_eq!(done.rows_affected(), 1);
            connection.execute("COMMIT").await.expect("committed");
            times.add(began.elapsed(), None);
        }
        let measured = times.within(began.elapsed());
        connection
            .execute("DROP TABLE bench")
            .await
            .expect("dropped");
        connection.close().await.expect("closed");
        measured
    })
}
