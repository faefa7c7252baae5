//! A begin that goes with the first query, and changes that go with the commit.

use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ConnectionTrait as _, DbErr, Statement};

use super::{Database, done, given_up, started};
use crate::connect::{Effect, Transaction};

/// Inserts that note with the commit.
fn inserted(text: &str) -> Effect {
    let insert = Query::insert()
        .into_table("notes")
        .columns(["text"])
        .values_panic([text.into()])
        .take();
    insert.into()
}

/// Changes that note with the commit.
fn changed(text: &str) -> Effect {
    let update = Query::update()
        .table("notes")
        .value("text", format!("{text}, changed"))
        .and_where(Expr::col("text").eq(text))
        .take();
    update.into()
}

/// The number of notes, with the begin.
async fn count(turn: &Transaction) -> Result<i64, DbErr> {
    let query = Query::select()
        .expr(Expr::cust("count(*)"))
        .from("notes")
        .take();
    let row = turn.query_first(&query).await?;
    row.expect("a row").try_get_by_index(0)
}

#[tokio::test]
async fn changes_go_with_the_commit_and_fail_alone() {
    let database = Database::open().await;
    let first = database.begin().await;
    let (twice, nothing, last) = (
        database.in_line().await,
        database.in_line().await,
        database.in_line().await,
    );
    assert_eq!(count(&first).await, Ok(0));
    let effects = vec![inserted("first"), changed("first"), inserted("another")];
    let first = started(Box::pin(first.commit_with(effects))).await;

    let twice = twice.await.expect("its turn");
    assert_eq!(count(&twice).await, Ok(2), "the one before it has ended");
    let failed = twice
        .commit_with(vec![inserted("new"), inserted("another")])
        .await;
    assert!(failed.is_err(), "{failed:?}");

    let nothing = nothing.await.expect("its turn");
    let done = nothing
        .commit_with(vec![inserted("new"), changed("missing"), inserted("newer")])
        .await;
    assert!(!done.expect("answered"), "it changed no row");

    let last = last.await.expect("its turn");
    assert!(database.committed().await.is_empty());
    assert!(
        last.commit_with(vec![changed("another")])
            .await
            .expect("committed")
    );
    assert!(first.await.expect("committed"));
    assert_eq!(
        database.committed().await,
        ["first, changed", "another, changed"]
    );
    assert!(database.has_kept_its_connection().await);
}

#[tokio::test]
async fn a_last_one_that_fails_leaves_those_before_it() {
    let database = Database::open().await;
    let (first, last) = (database.begin().await, database.in_line().await);
    let first = started(Box::pin(first.commit_with(vec![inserted("first")]))).await;
    let last = last.await.expect("its turn");
    assert!(
        !last
            .commit_with(vec![changed("missing")])
            .await
            .expect("answered")
    );
    assert!(first.await.expect("committed"));
    assert_eq!(database.committed().await, ["first"]);
    let alone = database.begin().await;
    assert!(
        !alone
            .commit_with(vec![inserted("x"), changed("missing")])
            .await
            .expect("answered")
    );
    assert_eq!(database.committed().await, ["first"]);
    assert!(database.has_kept_its_connection().await);
}

#[tokio::test]
async fn a_begin_that_nobody_waits_for_stays_nowhere() {
    let database = Database::open().await;
    let (turn, next) = (database.begin().await, database.in_line().await);
    given_up(Box::pin(async {
        count(&turn).await?;
        Ok(())
    }))
    .await;
    drop(turn);
    let next = next.await.expect("its turn");
    assert_eq!(count(&next).await, Ok(0));
    done(next, "next").await.await.expect("committed");
    drop(database.begin().await);
    let after = database.begin().await;
    done(after, "after").await.await.expect("committed");
    assert_eq!(database.committed().await, ["next", "after"]);
}

#[tokio::test]
async fn a_begin_that_fails_fails_alone() {
    let database = Database::open().await;
    let (turn, next) = (database.begin().await, database.in_line().await);
    let missing = Query::select()
        .expr(Expr::cust("missing"))
        .from("notes")
        .take();
    let failed = turn.query_first(&missing).await;
    failed.expect_err("no such column");
    assert!(turn.commit().await.is_err());
    let next = next.await.expect("its turn");
    done(next, "next").await.await.expect("committed");
    assert_eq!(database.committed().await, ["next"]);
    assert_eq!(database.writer().fault(), None);
}

#[tokio::test]
async fn a_query_that_fits_the_schema_no_more_fails_alone() {
    let database = Database::open().await;
    let url = format!("sqlite://{}/test.db", database.directory.path().display());
    let other = Box::pin(sea_orm::Database::connect(url))
        .await
        .expect("connected");
    let alter = async |sql: &str| other.execute_unprepared(sql).await.map(drop);
    let first = database.begin().await;
    assert_eq!(count(&first).await, Ok(0));
    drop(first);
    let limited = |turn: &Transaction| {
        let limited = "SELECT text FROM notes LIMIT ?";
        Statement::from_sql_and_values(turn.get_database_backend(), limited, [1.into()])
    };
    for _ in 0..3 {
        alter("ALTER TABLE notes RENAME TO away")
            .await
            .expect("away");
        let turn = database.begin().await;
        count(&turn).await.expect_err("no such table");
        drop(turn);
        let turn = database.begin().await;
        let refused = turn.query_one_raw(limited(&turn)).await;
        refused.expect_err("no such table");
        drop(turn);
        alter("ALTER TABLE away RENAME TO notes")
            .await
            .expect("back");
        let turn = database.begin().await;
        assert_eq!(count(&turn).await, Ok(0));
        turn.query_one_raw(limited(&turn)).await.expect("no row");
    }
}
