//! The state shared by all handlers. Only this file accesses Salvo's depot for it.

use std::ops::Deref;
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

use super::access_records::AccessRecords;
use super::domains::Domains;
use super::reported_fault::ReportedFault;
use super::revisions::Revisions;
use super::searches::Searches;
use super::store_health::StoreHealth;
use super::tasks::Tasks;
use super::turns::Turns;
use super::workbench::Workbench;
use crate::edge::origin::Origins;
use crate::extract::tenants::Tenants;
use crate::respond::ApiError;

/// Renders them for the digest of the policies in force.
pub(super) type RenderMetrics = Box<dyn Fn(&Arc<str>) -> String + Send + Sync>;

pub struct State {
    /// Opens the tenants of callers.
    pub tenants: Tenants,
    pub store_health: StoreHealth,
    /// Verifies signed requests.
    pub service_accounts: ServiceAccounts,
    /// Signs users in and verifies their tokens.
    pub portal_users: PortalUsers,
    /// Web origins that may send credentials.
    pub origins: Origins,
    /// Whether the refresh cookie is restricted to https.
    pub secure_cookie: bool,
    /// Authenticates operators' programs.
    pub operators: Operators,
    pub workbench: Workbench,
    /// Authenticates clients of the policy decision point.
    pub access_clients: AccessClients,
    /// What they asked about before.
    pub access_records: AccessRecords,
    /// Limits concurrent searches of domains of one's own.
    pub access_turns: Turns,
    /// The decision point's public address; `None` takes the requested host.
    pub access_base_url: Option<String>,
    pub engine: Engine,
    /// The policy domains of other services.
    pub domains: Domains,
    /// Logs decisions.
    pub decisions: Recorder,
    /// Looks up logged decisions.
    pub decision_lookup: Box<dyn DecisionLookup>,
    /// Each organization's use of shared resources.
    pub budgets: Arc<Budgets>,
    /// Encrypts the cursors of lists.
    pub cursors: CursorSealer,
    /// Limits searches of the decision log.
    pub searches: Searches,
    /// Earlier policies.
    pub revisions: Revisions,
    /// Adds an explanation to a logged decision, if possible.
    pub explain: Box<dyn ExplainDecision>,
    /// Creates access keys.
    pub mint: KeyMint,
    /// Times of last use that are not yet in the store.
    pub last_used: Arc<LastUsed>,
    /// For readiness.
    pub nonces: Arc<dyn NonceStore>,
    /// Rate limits of callers.
    pub rates: Arc<RateLimits>,
    /// Among the processes that serve the database.
    pub replicas: ReportedFault,
    /// Sealing keys that the settings lack.
    pub keys: ReportedFault,
    /// A disk that is nearly full.
    pub disk: ReportedFault,
    pub clock: Arc<dyn Clock>,
    /// The text of the OpenAPI document; a function, because the document is built from the routes.
    pub document: fn() -> &'static str,
    /// The metrics in the Prometheus text format.
    pub render_metrics: RenderMetrics,
    /// Writes that outlive their connections.
    pub tasks: Tasks,
    /// Cancelled when the service begins to stop; from then on it is not ready.
    pub stopping: CancellationToken,
}

/// As handlers and their arguments hold it: an object, so that the compiler does not prove for each of them anew that
/// threads may share all that is in it.
#[derive(Clone)]
pub struct SharedState(Arc<dyn AsRef<State> + Send + Sync>);

impl SharedState {
    /// The state for this depot's request; `INTERNAL_ERROR` if the router was built without it.
    pub fn of(depot: &Depot) -> Result<Self, ApiError> {
        depot
            .get_typed::<Self>()
            .cloned()
            .map_err(|_| ApiError::internal("the router was built without its state"))
    }
}

impl From<Arc<State>> for SharedState {
    fn from(state: Arc<State>) -> Self {
        Self(state)
    }
}

impl Deref for SharedState {
    type Target = State;

    fn deref(&self) -> &State {
        (*self.0).as_ref()
    }
}

impl AsRef<Self> for State {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Adds the state to each request's depot.
pub struct ProvideState(pub SharedState);

#[async_trait]
impl Handler for ProvideState {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        control: &mut FlowCtrl,
    ) {
        depot.insert_typed(self.0.clone());
        control.call_next(request, depot, response).await;
    }
}
