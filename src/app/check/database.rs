//! Checks the database without changing it.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::settings::Settings;
use crate::settings::keys::Keys;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_store::Store;

use super::super::database;
use super::part::CheckedPart;
use crate::app::StartError;

pub(super) struct FoundDatabase {
    pub(super) part: CheckedPart,
    /// `None` if the database is missing or unreadable.
    pub(super) store: Option<Arc<Store>>,
    pending: Vec<String>,
}

impl FoundDatabase {
    const fn without_store(part: CheckedPart) -> Self {
        Self {
            part,
            store: None,
            pending: Vec::new(),
        }
    }

    /// The database, if this migration is applied.
    pub(super) fn store_with(&self, migration: &str) -> Option<&Arc<Store>> {
        let is_pending = self.pending.iter().any(|name| name.ends_with(migration));
        self.store.as_ref().filter(|_| !is_pending)
    }
}

pub(super) async fn look(
    settings: &Settings,
    keys: &Keys,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> FoundDatabase {
    let url = without_password(&settings.database.connection.url);
    let mut part = CheckedPart::new("database").fact("url", url);
    // The data directory is checked separately.
    let opened = match database::open_read_only(settings, keys, clock, entropy).await {
        Err(StartError::DataDir(_)) => None,
        opened => part.take(opened),
    };
    let Some(Some(store)) = opened else {
        if part.ok && opened.is_some() {
            part.note("the database does not exist yet; a start creates it");
        }
        return FoundDatabase::without_store(part);
    };
    let status = match store.ping().await {
        Ok(()) => store.migration_status().await,
        Err(error) => Err(error),
    };
    let Some(status) = part.take(status) else {
        return FoundDatabase::without_store(part);
    };
    if let Some(Some(damage)) = part.take(store.damage().await) {
        part.findings.push(format!(
            "the database is damaged: {damage}. Restore it from a backup, without the `-wal` and `-shm` files of the \
             damaged one (docs/operating.md, Restoring)"
        ));
    }
    if let Some(later) = status.iter().rfind(|one| !one.known) {
        part.note(format!(
            "a later version has migrated the database, up to `{}`, and lets this one run",
            later.name
        ));
    }
    let pending = status.into_iter().filter(|one| !one.applied);
    let pending: Vec<String> = pending.map(|one| one.name).collect();
    if !pending.is_empty() {
        part.note("a start applies the pending migrations, as `charter migrate up` does");
    }
    FoundDatabase {
        part: part.fact("pending_migrations", pending.clone()),
        store: Some(Arc::new(store)),
        pending,
    }
}

/// The URL without its password, for display.
pub(super) fn without_password(url: &SecretString) -> String {
    let text = url.expose_secret();
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        return "malformed".to_owned();
    };
    // The query may contain one, too.
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for a URL without a host.
    let _ = url.set_password(None);
    url.into()
}
