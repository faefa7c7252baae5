//! The statements between turns.

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, Statement};

pub(super) const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT turn";
/// After a turn whose changes stay. It fails where SQLite has rolled the transaction back by itself:
/// a savepoint outside of one would begin another one.
pub(super) const GO_ON: &str = "RELEASE turn; SAVEPOINT turn";
/// After one that was given up. The savepoint is there still, for the next turn.
pub(super) const UNDO: &str = "ROLLBACK TO turn";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const UNDO_AND_COMMIT: &str = "ROLLBACK TO turn; COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

pub(super) async fn execute(connection: &DatabaseTransaction, sql: &str) -> Result<(), DbErr> {
    run(connection, statement(sql)).await
}

/// The last statements of a turn, if it has any, and the step after it, in one trip.
pub(super) async fn execute_last(
    connection: &DatabaseTransaction,
    last: Option<Statement>,
    step: &str,
) -> Result<(), DbErr> {
    let statement = match last {
        None => statement(step),
        Some(mut last) => {
            last.sql = format!("{}; {step}", last.sql);
            last
        }
    };
    run(connection, statement).await
}

/// As a statement with values, of which there are none: it is prepared once.
fn statement(sql: &str) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, [])
}

async fn run(connection: &DatabaseTransaction, statement: Statement) -> Result<(), DbErr> {
    connection.execute_raw(statement).await.map(|_| ())
}
