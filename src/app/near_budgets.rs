//! Which organizations are near their budgets, for metrics and log.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::momentary;
use charter_authn::nonces::NonceStore;
use charter_budgets::{Budgets, Near, Resource, nearest};
use charter_domain::clock::Clock;
use charter_domain::id::OrganizationId;
use charter_store::Store;

/// How often it is looked who is near its share.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// How long the log says nothing more of the same organization and resource.
const SILENCE: Duration = Duration::from_mins(10);

/// Who is near its share, with the organization's code.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Vec<(Near, String)>>);

impl Watch {
    /// As of the last look, in the Prometheus text format. The organizations are the label of a
    /// moment: those that are not near their share any more are not in it.
    pub(super) fn render(&self) -> String {
        momentary(|| {
            for (near, code) in &*self.0.lock() {
                let percent = f64::from(u32::try_from(near.percent()).unwrap_or(u32::MAX));
                let resource = near.resource.name();
                let organization = code.clone();
                gauge!("charter_budget_used_ratio", "resource" => resource, "organization" => organization)
                    .set(percent / 100.0);
            }
        })
    }

    /// Looks every few seconds until `stop`.
    pub(super) async fn run(
        self: Arc<Self>,
        budgets: Arc<Budgets>,
        nonces: Arc<dyn NonceStore>,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) {
        let looks = async {
            let mut said = HashMap::new();
            loop {
                budgets.forget_idle();
                let mut near = budgets.near();
                near.extend(nearest(nonces.near()));
                let near = with_codes(near, &store).await;
                say(&near, &mut said, clock.monotonic());
                *self.0.lock() = near;
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        stop.run_until_cancelled(looks).await;
    }
}

/// The ids stand in where the database does not answer.
async fn with_codes(near: Vec<Near>, store: &Store) -> Vec<(Near, String)> {
    let ids: Vec<OrganizationId> = near.iter().map(|near| near.organization).collect();
    let codes = match store.organization_codes(&ids).await {
        Ok(codes) => codes,
        Err(error) => {
            tracing::debug!(%error, "the codes of organizations near their budgets are not known");
            HashMap::new()
        }
    };
    let named = near.into_iter().map(|near| {
        let code = codes.get(&near.organization).cloned();
        (near, code.unwrap_or_else(|| near.organization.to_string()))
    });
    named.collect()
}

fn say(
    near: &[(Near, String)],
    said: &mut HashMap<(Resource, OrganizationId), Duration>,
    now: Duration,
) {
    said.retain(|_, at| now.saturating_sub(*at) < SILENCE);
    for (near, organization) in near {
        let key = (near.resource, near.organization);
        if let Entry::Vacant(entry) = said.entry(key) {
            entry.insert(now);
            tracing::warn!(
                organization,
                resource = near.resource.name(),
                percent = near.percent(),
                limit = near.limit,
                "an organization is near its budget; beyond it its requests are answered 429"
            );
        }
    }
}
