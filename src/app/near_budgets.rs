//! Reports organizations near their budgets in metrics and the log.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::momentary;
use charter_budgets::{Near, Resource, nearest};
use charter_domain::id::OrganizationId;
use charter_http::state::State;
use charter_store::Store;

const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// How long a warning about the same organization and resource is not repeated.
const REPORT_INTERVAL: Duration = Duration::from_mins(10);

/// The organizations near their budgets, with their codes.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Vec<(Near, String)>>);

impl Watch {
    /// The metrics of the last look, in the Prometheus text format. Organizations that are no longer near a limit
    /// are omitted, so that labels do not accumulate.
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

    /// Looks periodically until `stop`.
    pub(super) async fn run(
        self: Arc<Self>,
        state: Arc<State>,
        store: Arc<Store>,
        stop: CancellationToken,
    ) {
        let looks = async {
            let mut reported = HashMap::new();
            loop {
                state.budgets.forget_idle();
                let mut near = state.budgets.near();
                near.extend(nearest(state.nonces.near()));
                let near = with_codes(near, &store).await;
                report(&near, &mut reported, state.clock.monotonic());
                *self.0.lock() = near;
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        stop.run_until_cancelled(looks).await;
    }
}

/// Falls back to ids if the database does not answer.
async fn with_codes(near: Vec<Near>, store: &Store) -> Vec<(Near, String)> {
    let ids: Vec<OrganizationId> = near.iter().map(|near| near.organization).collect();
    let codes = match store.organization_codes(&ids).await {
        Ok(codes) => codes,
        Err(error) => {
            tracing::debug!(%error, "could not read the codes of organizations near their budgets");
            HashMap::new()
        }
    };
    let named = near.into_iter().map(|near| {
        let code = codes.get(&near.organization).cloned();
        (near, code.unwrap_or_else(|| near.organization.to_string()))
    });
    named.collect()
}

fn report(
    near: &[(Near, String)],
    reported: &mut HashMap<(Resource, OrganizationId), Duration>,
    now: Duration,
) {
    reported.retain(|_, at| now.saturating_sub(*at) < REPORT_INTERVAL);
    for (near, organization) in near {
        let key = (near.resource, near.organization);
        if let Entry::Vacant(entry) = reported.entry(key) {
            entry.insert(now);
            tracing::warn!(
                organization,
                resource = near.resource.name(),
                percent = near.percent(),
                limit = near.limit,
                "an organization is near its budget; requests beyond it get 429"
            );
        }
    }
}
