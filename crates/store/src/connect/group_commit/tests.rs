//! Who shares a commit with whom, and what becomes of the others when one of them fails. On a file of
//! SQLite's, one runtime thread: what is not awaited does not move.

mod together;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::driver::MOST_TURNS;
use crate::config::{Config, ConnectionConfig};
use crate::connect::{Connection, Pools, Transaction, connect};
use crate::{AuditKey, Error};

type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + 'a>>;

struct Database {
    directory: TempDir,
    pools: Pools,
}

impl Database {
    async fn open() -> Self {
        let directory = TempDir::new().expect("a directory");
        let url = format!("sqlite://{}/test.db", directory.path().display());
        let config = Config {
            connection: ConnectionConfig {
                url: url.into(),
                max_readers: 1,
                acquire_timeout: Duration::from_secs(10),
                statement_timeout: Duration::from_secs(10),
            },
            ping_after_idle: Duration::ZERO,
            is_server: false,
            may_create: true,
            audit_keys: Vec::<AuditKey>::new(),
            audit_heads: None,
        };
        let pools = connect(&config).await.expect("connected");
        let tables = "CREATE TABLE notes (text TEXT NOT NULL UNIQUE) STRICT; \
            CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT; \
            CREATE TABLE children (parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED) STRICT; \
            CREATE TEMP TABLE of_this_connection (id INTEGER)";
        let made = pools.writer.execute_unprepared(tables).await;
        made.expect("tables");
        Self { directory, pools }
    }

    const fn writer(&self) -> &Connection {
        &self.pools.writer
    }

    async fn begin(&self) -> Transaction {
        self.writer().begin().await.expect("begun")
    }

    /// Somebody who waits in the line.
    async fn in_line(&self) -> Pending<'_, Transaction> {
        started(Box::pin(self.writer().begin())).await
    }

    /// What everybody sees.
    async fn committed(&self) -> Vec<String> {
        let query = sql("SELECT text FROM notes ORDER BY rowid");
        let rows = self.pools.reader.query_all_raw(query).await.expect("rows");
        let texts = rows.iter().map(|row| row.try_get_by_index(0));
        texts.collect::<Result<_, _>>().expect("texts")
    }

    /// Whether the writer's connection is the one that it was.
    async fn has_kept_its_connection(&self) -> bool {
        let query = sql("SELECT count(*) FROM temp.sqlite_schema");
        let row = self.writer().query_one_raw(query).await.expect("a row");
        row.expect("a row").try_get_by_index::<i64>(0) == Ok(1)
    }
}

fn sql(text: &str) -> Statement {
    Statement::from_string(DbBackend::Sqlite, text)
}

async fn note(turn: &Transaction, text: &str) -> Result<(), DbErr> {
    let insert = "INSERT INTO notes VALUES (?)";
    let insert = Statement::from_sql_and_values(DbBackend::Sqlite, insert, [text.into()]);
    turn.execute_raw(insert).await.map(|_| ())
}

/// Goes on until it has to wait.
async fn started<T>(mut work: Pending<'_, T>) -> Pending<'_, T> {
    let waits = poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending()));
    assert!(waits.await, "it did not wait");
    work
}

/// Begins a statement and gives it up: SQLite's thread may have done it by then.
async fn given_up(mut statement: Pending<'_, ()>) {
    poll_fn(|context| {
        drop(statement.as_mut().poll(context));
        Poll::Ready(())
    })
    .await;
}

/// Ends the turn after that note.
async fn done(turn: Transaction, text: &str) -> Pending<'static, ()> {
    note(&turn, text).await.expect("written");
    started(Box::pin(turn.commit())).await
}

/// More than any file of these tests may hold.
async fn overflow(turn: &Transaction) -> Result<(), DbErr> {
    let limit = turn.execute_unprepared("PRAGMA max_page_count = 1").await;
    limit.expect("a limit");
    note(turn, &"x".repeat(1_000_000)).await
}

fn assert_unavailable<T>(outcome: &Result<T, Error>) {
    let error = outcome.as_ref().err();
    assert!(matches!(error, Some(Error::Unavailable(_))), "{error:?}");
}

#[tokio::test]
async fn turns_share_a_commit_and_are_answered_after_it() {
    let database = Database::open().await;
    let first = database.begin().await;
    let second = database.in_line().await;
    let first = done(first, "first").await;
    let second = second.await.expect("its turn");
    let first = started(first).await;
    assert!(database.committed().await.is_empty());
    done(second, "second").await.await.expect("committed");
    first.await.expect("committed");
    assert_eq!(database.committed().await, ["first", "second"]);
    assert!(database.has_kept_its_connection().await);
}

#[tokio::test]
async fn an_abandoned_write_is_undone_alone() {
    let database = Database::open().await;
    let first = database.begin().await;
    let (dropped, refused, panics) = (
        database.in_line().await,
        database.in_line().await,
        database.in_line().await,
    );
    let (interrupted, last) = (database.in_line().await, database.in_line().await);
    let first = done(first, "first").await;

    let dropped = dropped.await.expect("its turn");
    note(&dropped, "dropped").await.expect("written");
    drop(dropped);

    let refused = refused.await.expect("its turn");
    note(&refused, "refused").await.expect("written");
    note(&refused, "first").await.expect_err("a second one");
    let further = note(&refused, "after a failure").await;
    assert!(matches!(further, Err(DbErr::Custom(_))), "{further:?}");
    let failed = refused.commit().await;
    assert!(matches!(failed, Err(Error::Unexpected(_))), "{failed:?}");

    let panics = panics.await.expect("its turn");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        note(&panics, "panicked").await.expect("written");
        panic!("in the middle of a write");
    });
    let panicked: Result<(), _> = tasks.join_next().await.expect("a task");
    assert!(panicked.expect_err("a panic").is_panic());

    let interrupted = interrupted.await.expect("its turn");
    let statement = Box::pin(async {
        note(&interrupted, "interrupted").await?;
        Ok(())
    });
    given_up(statement).await;
    drop(interrupted);

    let last = last.await.expect("its turn");
    assert!(database.committed().await.is_empty());
    done(last, "last").await.await.expect("committed");
    first.await.expect("committed");
    assert_eq!(database.committed().await, ["first", "last"]);
    assert!(database.has_kept_its_connection().await);
}

#[tokio::test]
async fn those_before_one_that_is_given_up_are_committed() {
    let database = Database::open().await;
    let (first, last) = (database.begin().await, database.in_line().await);
    let gone = database.in_line().await;
    let first = done(first, "first").await;
    drop(gone);
    let last = last.await.expect("its turn");
    note(&last, "last").await.expect("written");
    drop(last);
    first.await.expect("committed");
    assert_eq!(database.committed().await, ["first"]);
    let nobody = database.begin().await;
    note(&nobody, "nobody").await.expect("written");
    drop(nobody);
    let answer = database.begin().await;
    done(answer, "after").await.await.expect("committed");
    assert_eq!(database.committed().await, ["first", "after"]);
}

#[tokio::test]
async fn a_commit_that_fails_fails_for_all() {
    let database = Database::open().await;
    let (first, last) = (database.begin().await, database.in_line().await);
    let first = done(first, "first").await;
    let last = last.await.expect("its turn");
    let child = last.execute_raw(sql("INSERT INTO children VALUES (1)"));
    child.await.expect("checked at the commit");
    let last = done(last, "last").await;
    assert_unavailable(&first.await);
    assert_unavailable(&last.await);
    assert!(database.writer().fault().is_some());
    assert!(database.committed().await.is_empty());
    let after = database.begin().await;
    done(after, "after").await.await.expect("committed");
    assert_eq!(database.committed().await, ["after"]);
    assert_eq!(database.writer().fault(), None);
    assert!(!database.has_kept_its_connection().await);
}

/// How a disk failure in the middle of a group meets it.
async fn fails_with(failing: impl AsyncFnOnce(Transaction)) {
    let database = Database::open().await;
    let (first, failed) = (database.begin().await, database.in_line().await);
    let (gone, after) = (database.in_line().await, database.in_line().await);
    let first = done(first, "first").await;
    drop(gone);
    failing(failed.await.expect("its turn")).await;
    assert_unavailable(&first.await);
    let after = after.await.expect("its turn, on another connection");
    assert!(database.committed().await.is_empty());
    done(after, "after").await.await.expect("committed");
    assert_eq!(database.committed().await, ["after"]);
    assert_eq!(database.writer().fault(), None);
    assert!(!database.has_kept_its_connection().await);
}

#[tokio::test]
async fn a_disk_failure_fails_all_before_it_and_none_after() {
    fails_with(async |turn| {
        overflow(&turn).await.expect_err("full");
        // SQLite has rolled back: this would be a transaction of its own.
        note(&turn, "astray").await.expect_err("refused");
        assert!(turn.commit().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_disk_failure_that_nobody_hears_of_is_noticed() {
    fails_with(async |turn| {
        let limit = turn.execute_unprepared("PRAGMA max_page_count = 1").await;
        limit.expect("a limit");
        let statement = Box::pin(async {
            note(&turn, &"x".repeat(1_000_000)).await?;
            Ok(())
        });
        given_up(statement).await;
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_is_gone_is_not_taken_for_another() {
    fails_with(async |turn| {
        turn.execute_unprepared("ROLLBACK").await.expect("gone");
        assert_unavailable(&turn.commit().await);
    })
    .await;
}

#[tokio::test]
async fn a_group_ends_though_others_wait() {
    let database = Database::open().await;
    let mut turn = database.begin().await;
    let mut line = Vec::new();
    for _ in 0..MOST_TURNS {
        line.push(database.in_line().await);
    }
    let mut group = Vec::new();
    for (number, next) in line.into_iter().enumerate() {
        group.push(done(turn, &number.to_string()).await);
        turn = next.await.expect("its turn");
    }
    for answer in group {
        answer
            .await
            .expect("committed while another one has its turn");
    }
    assert_eq!(database.committed().await.len(), MOST_TURNS);
    done(turn, "another").await.await.expect("committed");
}

#[tokio::test]
async fn statements_and_migrations_have_their_turns() {
    let database = Database::open().await;
    let first = database.begin().await;
    let alone = started(Box::pin(database.writer().begin_alone())).await;
    let single = started(Box::pin(async {
        let single = sql("INSERT INTO notes VALUES ('single')");
        Ok(database.writer().execute_raw(single).await?)
    }))
    .await;
    let pragma = started(Box::pin(async {
        let pragma = "PRAGMA wal_checkpoint(PASSIVE)";
        Ok(database.writer().execute_unprepared(pragma).await?)
    }))
    .await;
    let last = database.in_line().await;
    let first = done(first, "first").await;
    let alone = alone.await.expect("its turn");
    first.await.expect("committed before");
    let alone = done(alone, "alone").await;
    single.await.expect("written");
    alone.await.expect("committed before");
    assert_eq!(database.committed().await, ["first", "alone", "single"]);
    pragma.await.expect("outside of a transaction");
    let last = last.await.expect("its turn");
    done(last, "last").await.await.expect("committed");
}

#[tokio::test]
async fn nothing_is_committed_once_the_file_is_elsewhere() {
    let database = Database::open().await;
    let (first, last) = (database.begin().await, database.in_line().await);
    let first = done(first, "first").await;
    let last = last.await.expect("its turn");
    let path = database.directory.path().join("test.db");
    let away = path.with_extension("away");
    std::fs::rename(&path, &away).expect("moved");
    let last = done(last, "last").await;
    assert_unavailable(&first.await);
    assert_unavailable(&last.await);
    std::fs::rename(&away, &path).expect("put back");
    assert!(database.committed().await.is_empty());
    let after = database.begin().await;
    done(after, "after").await.await.expect("committed");
    assert_eq!(database.committed().await, ["after"]);
}

#[tokio::test]
async fn a_closed_writer_lets_its_connection_go() {
    let database = Database::open().await;
    let (first, last) = (database.begin().await, database.in_line().await);
    let (first, last) = (done(first, "first").await, last.await.expect("its turn"));
    let close = started(Box::pin(async { Ok(database.writer().close().await?) }));
    let close = close.await;
    done(last, "last").await.await.expect("committed");
    first.await.expect("committed");
    close.await.expect("closed in time");
    assert_unavailable(&database.writer().begin().await.map(drop));
}
