//! What the handlers share. The one file that puts things into Salvo's depot and takes them out.

use std::sync::Arc;

use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};
use tokio_util::sync::CancellationToken;

use charter_authn::access_clients::AccessClients;
use charter_authn::limits::rate_limit::RateLimits;
use charter_authn::nonces::NonceStore;
use charter_authn::operator::Operators;
use charter_authn::secrets::CursorSealer;
use charter_authn::signed::last_used::LastUsed;
use charter_authn::signed::mint::KeyMint;
use charter_authn::signed::verify::ServiceAccounts;
use charter_authn::users::PortalUsers;
use charter_authz::engine::Engine;
use charter_budgets::Budgets;
use charter_decision_log::reevaluation::ExplainDecision;
use charter_decision_log::{DecisionLookup, Recorder};
use charter_domain::clock::Clock;

use super::domains::Domains;
use super::replicas::Replicas;
use super::revisions::Revisions;
use super::searches::Searches;
use super::store_health::StoreHealth;
use super::tasks::Tasks;
use super::workbench::Workbench;
use crate::edge::origin::Origins;
use crate::extract::tenants::Tenants;
use crate::respond::ApiError;

/// What the handlers share.
pub struct State {
    /// The tenants of callers.
    pub tenants: Tenants,
    /// How the database is doing.
    pub store_health: StoreHealth,
    /// Verifies signed requests.
    pub service_accounts: ServiceAccounts,
    /// People: verifies their tokens, signs them in.
    pub portal_users: PortalUsers,
    /// The web origins that may call with credentials.
    pub origins: Origins,
    /// Whether the refresh cookie is for https only.
    pub secure_cookie: bool,
    /// Lets operators' programs in.
    pub operators: Operators,
    /// What the security team's workbench needs beside the rest.
    pub workbench: Workbench,
    /// Lets programs ask the policy decision point.
    pub access_clients: AccessClients,
    /// Where they reach it; `None` is where they asked.
    pub access_base_url: Option<String>,
    /// The policies.
    pub engine: Engine,
    /// The domains of one's own.
    pub domains: Domains,
    /// Where decisions are put on record.
    pub decisions: Recorder,
    /// Where recorded decisions are looked up.
    pub decision_lookup: Box<dyn DecisionLookup>,
    /// What each organization may use of what everybody pays for.
    pub budgets: Arc<Budgets>,
    /// Seals where readers of lists go on.
    pub cursors: CursorSealer,
    /// Who may search the record now.
    pub searches: Searches,
    /// The policies that took earlier ones.
    pub revisions: Revisions,
    /// Tells more about a decision than its record; `None` tells no more.
    pub explain: Box<dyn ExplainDecision>,
    /// Makes access keys.
    pub mint: KeyMint,
    /// When keys were last used, as far as the store has not heard.
    pub last_used: Arc<LastUsed>,
    /// For readiness.
    pub nonces: Arc<dyn NonceStore>,
    /// What callers may send in a second.
    pub rates: Arc<RateLimits>,
    /// What is wrong among replicas.
    pub replicas: Replicas,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The text of the OpenAPI document, which is made of the routes that these handlers serve.
    pub document: fn() -> &'static str,
    /// The metrics in Prometheus' text format.
    pub render_metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Writes that outlive their connections.
    pub tasks: Tasks,
    /// Cancelled when the service begins to stop: it is not ready from then on.
    pub stopping: CancellationToken,
}

impl State {
    /// The state of the service that this depot's request reached.
    ///
    /// # Errors
    ///
    /// `INTERNAL_ERROR` if the router was built without it.
    pub fn of(depot: &Depot) -> Result<Arc<Self>, ApiError> {
        depot
            .get_typed::<Arc<Self>>()
            .cloned()
            .map_err(|_| ApiError::internal("the router was built without its state"))
    }
}

/// Gives each request the state.
pub struct ProvideState(pub Arc<State>);

#[async_trait]
impl Handler for ProvideState {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        control: &mut FlowCtrl,
    ) {
        depot.insert_typed(Arc::clone(&self.0));
        control.call_next(request, depot, response).await;
    }
}
