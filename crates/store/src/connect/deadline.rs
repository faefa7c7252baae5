//! Deadlines for the database's answers.

use std::pin::pin;
use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};

use super::health::Health;

/// Waits with a deadline. On a timeout, connections are distrusted first, so that this one does not return to the
/// pool with an answer pending.
pub(super) async fn within<T>(
    deadline: Option<Duration>,
    health: &Health,
    statement: impl Future<Output = Result<T, DbErr>> + Send,
) -> Result<T, DbErr> {
    let Some(deadline) = deadline else {
        return statement.await;
    };
    let mut statement = pin!(statement);
    match tokio::time::timeout(deadline, statement.as_mut()).await {
        Ok(answer) => answer,
        Err(_elapsed) => {
            let reason = format!(
                "the database did not answer within {} s",
                deadline.as_secs()
            );
            health.distrust(&reason);
            Err(DbErr::Conn(RuntimeErr::Internal(reason)))
        }
    }
}
