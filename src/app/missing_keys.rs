//! Watches whether the settings have every sealing key that stored secrets need, for readiness.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::settings::keys::Key;
use charter_http::state::State;
use charter_store::{Error, Store};

/// Other processes, with other settings, seal too.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// Looks periodically until `stop`. A look that fails leaves what the last one found; readiness has the database.
pub(super) async fn watch(
    sealing: Vec<String>,
    state: Arc<State>,
    store: Arc<Store>,
    stop: CancellationToken,
) {
    let looks = async {
        let mut known = None;
        loop {
            if let Ok(found) = fault(&store, &sealing).await {
                if let Some(fault) = found.as_ref().filter(|_| found != known) {
                    tracing::error!("{fault}");
                }
                known.clone_from(&found);
                state.keys.report(found);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    stop.run_until_cancelled(looks).await;
}

/// The ids of keys.
pub(super) fn ids(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|key| key.id().to_owned()).collect()
}

/// The entries that are missing and what needs them, for operators.
pub(super) async fn fault(store: &Store, sealing: &[String]) -> Result<Option<String>, Error> {
    let needed = store.sealed_by_others(sealing).await?;
    if needed.is_empty() {
        return Ok(None);
    }
    let needed = needed.into_iter().map(|(id, needed)| {
        let (keys, mails) = (needed.access_keys, needed.mails);
        format!("`{id}` (access keys: {keys}, queued mails: {mails})")
    });
    let needed: Vec<String> = needed.collect();
    Ok(Some(format!(
        "`keys.sealing` lacks entries that stored secrets need, whose requests are refused (401): {}; put them back, \
         behind the others, and run `charter keys reseal` before you remove them",
        needed.join(", ")
    )))
}
