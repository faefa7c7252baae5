//! Opens two pools: for reads, and for transactions that write. All access to the database goes through a
//! [`Connection`] or a [`Transaction`].

mod connection;
mod deadline;
mod effects;
mod group_commit;
mod health;
mod place;
mod pools;
mod postgres;
mod postgres_url;
mod presence;
mod primary;
mod sqlite;
mod sqlite_read_only;
mod transaction;
mod unusable;

pub(super) use connection::Connection;
pub(super) use effects::Effect;
pub(super) use pools::Pools;
pub(super) use presence::Presence;
pub(super) use transaction::Transaction;

use secrecy::ExposeSecret as _;

use super::Error;
use super::config::Config;

pub(super) async fn connect(config: &Config) -> Result<Pools, Error> {
    match scheme(config) {
        "sqlite" => sqlite::connect(config).await,
        "postgres" | "postgresql" => postgres::connect(config).await,
        other => Err(unknown(other)),
    }
}

/// Connects read-only, without leaving traces; `None` if the database is a file that does not exist yet.
pub(super) async fn connect_read_only(config: &Config) -> Result<Option<Pools>, Error> {
    match scheme(config) {
        "sqlite" => sqlite_read_only::connect(config).await,
        "postgres" | "postgresql" => postgres::connect_read_only(config).await.map(Some),
        other => Err(unknown(other)),
    }
}

/// Whether a URL of a file can be used, whether or not the file is there.
pub(super) fn check_url(config: &Config) -> Result<(), Error> {
    match scheme(config) {
        "sqlite" => {
            let options = sqlite::options(config)?;
            sqlite::directory_of(options.get_filename()).map(drop)
        }
        _ => Ok(()),
    }
}

fn scheme(config: &Config) -> &str {
    let url = config.connection.url.expose_secret();
    url.split(':').next().unwrap_or_default()
}

/// Repeats only the scheme, because the URL may contain a password.
fn unknown(scheme: &str) -> Error {
    Error::Setup(format!(
        "the database url starts with `{scheme}`, expected `sqlite://` or `postgres://`"
    ))
}
