//! Opens the two pools: readers, and the writers that run transactions. Whatever is asked of the
//! database passes a [`Connection`] or a [`Transaction`]: there are no other doors.

mod connection;
mod deadline;
mod health;
mod pools;
mod postgres;
mod postgres_url;
mod presence;
mod sqlite;
mod transaction;

pub(super) use connection::Connection;
use pools::Pools;
pub(super) use presence::Presence;
pub(super) use transaction::Transaction;

use super::Error;
use super::config::Config;

pub(super) async fn connect(config: &Config) -> Result<Pools, Error> {
    let scheme = config.url.split(':').next().unwrap_or_default();
    match scheme {
        "sqlite" => sqlite::connect(config).await,
        "postgres" | "postgresql" => postgres::connect(config).await,
        // The URL may hold a password: only its scheme is repeated.
        other => Err(Error::Setup(format!(
            "the database url starts with `{other}`, expected `sqlite://` or `postgres://`"
        ))),
    }
}
