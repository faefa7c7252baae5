//! Builds the parts of a running service from the settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;
use crate::settings::keys::Keys;
use crate::telemetry::metrics::{Recorder as Metrics, momentary};
use charter_authn::access_clients::AccessClients;
use charter_authn::limits::rate_limit::RateLimits;
use charter_authn::nonces::{NonceStore, SharedCounters};
use charter_authn::operator::Operators;
use charter_authn::operator_sessions::OperatorSessions;
use charter_authn::signed::last_used::LastUsed;
use charter_authn::signed::mint::KeyMint;
use charter_authn::signed::verify::{ServiceAccountParts, ServiceAccounts};
use charter_authz::engine::Engine;
use charter_budgets::Budgets;
use charter_decision_log::{DecisionLog, DecisionLookup, Recorder};
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::entropy::Entropy;
use charter_http::document;
use charter_http::extract::tenants::Tenants;
use charter_http::state::{
    AccessRecords, Domains, ReportedFault, Revisions, Searches, State, StoreHealth, Tasks, Turns,
    Workbench,
};
use charter_mail as mail;
use charter_policy::explain::DecisionExplainer;
use charter_store::Store;

use super::keys::{cursors, sealer};
use super::policies::{self, Policies, Reloader, Tools};
use super::start_error::StartError;
use super::{database, decisions, denials, missing_keys, near_budgets, replay, replicas, users};

/// Limit of concurrent evaluations and searches of the workbench.
const WORKBENCH_TURNS: usize = 2;
/// The same of the decision point, of domains of one's own.
const ACCESS_TURNS: usize = 2;

pub struct App {
    /// Shared by the handlers.
    pub state: Arc<State>,
    /// The whole database; handlers reach it only through their tenant.
    pub store: Arc<Store>,
    /// The replay guard, which needs maintenance and a clean stop.
    pub replay: Arc<dyn NonceStore>,
    /// This process's entry in the list of replicas.
    pub(super) replica: Arc<replicas::Presence>,
    /// The rate limits of keys and organizations; idle entries must be removed.
    pub limits: Arc<RateLimits>,
    /// With several replicas: what they count together.
    pub(super) counters: Option<SharedCounters>,
    /// Organizations near their budgets.
    pub(super) near_budgets: Arc<near_budgets::Watch>,
    /// When unverified registrations are deleted.
    pub(super) unverified_expire_after: Duration,
    /// Interval at which the heads of the audit chains are synced to disk.
    pub(super) sync_within: Duration,
    /// Whose disks are watched.
    pub(super) directories: Vec<PathBuf>,
    /// Ids of the keys that can open stored secrets.
    pub(super) sealing_keys: Vec<String>,
    /// The clock for deletion of old data.
    pub(super) confirmed: Arc<ConfirmedClock>,
    /// Taken when it is started.
    pub(super) mail: Mutex<Option<mail::Sender>>,
    /// Taken when it is started.
    pub(super) reloader: Mutex<Option<Reloader>>,
    pub entropy: Arc<dyn Entropy>,
    /// Must be closed; `None` if decisions are not logged.
    pub decisions: Option<Arc<DecisionLog>>,
    pub metrics: Metrics,
}

/// What a start is told.
struct StartInput<'a> {
    settings: &'a Settings,
    keys: &'a Keys,
    base_url: &'a str,
    program: &'a Path,
}

impl App {
    /// Opens the database (migrating it), the policies and the replay guard. `base_url` is the public address
    /// without a trailing slash; `program` is this executable, which checks policies in a child process.
    pub async fn build(
        settings: &Settings,
        base_url: &str,
        program: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let keys = settings.require_keys()?;
        let store = database::wait_for_store(settings, keys, &clock, &entropy).await?;
        let budgets = Arc::new(Budgets::new(
            settings.budgets.iter().copied(),
            Arc::clone(&clock),
        ));
        let store = Arc::new(store.with_budgets(Arc::clone(&budgets)));
        let input = StartInput {
            settings,
            keys,
            base_url,
            program,
        };
        let opened = (Arc::clone(&store), budgets);
        let built = Box::pin(Self::build_over(input, opened, clock, entropy, metrics)).await;
        if built.is_err() {
            // As an orderly stop does, so that the file alone is the database.
            store.close().await;
        }
        built
    }

    #[expect(
        clippy::too_many_lines,
        reason = "the startup sequence, readable in one place"
    )]
    async fn build_over(
        input: StartInput<'_>,
        (store, budgets): (Arc<Store>, Arc<Budgets>),
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let StartInput {
            settings,
            keys,
            base_url,
            program,
        } = input;
        let confirmed = Arc::new(ConfirmedClock::new(Arc::clone(&clock)));
        let turn = Box::pin(replay::wait_for_turn(settings, keys, &store)).await?;
        store.migrate_up().await?;
        database::note_keys(&store, keys).await?;
        let policies = Arc::new(Policies::new(
            settings,
            keys,
            program,
            Some(Arc::clone(&store)),
            Arc::clone(&clock),
        ));
        let mut started = Box::pin(policies.start(clock.now())).await?;
        let names = policies::warn_of_unknown_names(&store, &started.loaded).await;
        started.health.warnings.extend(names.into_iter().flatten());
        let run = run(&*entropy);
        let opening = replay::open(turn, (settings, &run), &store, &clock, &entropy);
        let replay::Opened {
            guard: replay,
            counters,
        } = Box::pin(opening).await?;
        let opened = Arc::clone(&replay);
        let built: Result<Self, StartError> = async move {
            let nonces = Arc::clone(&replay);
            let decisions = decisions::open(
                settings,
                keys,
                started.loaded.attributes(),
                (&clock, &confirmed),
                (&budgets, &entropy),
            )?;
            let sealer = Arc::new(sealer(keys)?);
            let last_used = Arc::new(LastUsed::default());
            let limits = Arc::new(RateLimits::new(settings.rate_limits, &clock));
            let near_budgets = Arc::new(near_budgets::Watch::default());
            let parts = ServiceAccountParts {
                store: Arc::clone(&store),
                sealer: Arc::clone(&sealer),
                nonces: Arc::clone(&nonces),
                limits: Arc::clone(&limits),
                last_used: Arc::clone(&last_used),
                memory: settings.database.cache.keys(),
                max_skew: settings.signing.max_skew,
                clock: Arc::clone(&clock),
            };
            let service_accounts = ServiceAccounts::new(parts, &*entropy);
            let outbox = Arc::new(Notify::new());
            let base = parsed(base_url)?;
            let shared = users::Shared {
                store: &store,
                sealer: &sealer,
                outbox: &outbox,
                counters: counters.as_ref(),
                rates: &limits,
                budgets: &budgets,
                clock: &clock,
                confirmed: &confirmed,
                entropy: &entropy,
            };
            let mail = users::mail_sender(settings, &base, shared)?;
            let portal_users = users::portal_users(settings, keys, &base, shared)?;
            policies.record_start(&started.taken).await?;
            let recorder = decisions::recorder(decisions.as_ref(), &entropy);
            let state = State {
                tenants: Tenants::new(Arc::clone(&store)),
                store_health: StoreHealth::new(Arc::clone(&store)),
                service_accounts,
                portal_users,
                document: document::text,
                origins: base.origins(&settings.portal.origins),
                secure_cookie: !base.is_local(),
                operators: Operators::new(Arc::clone(&store), settings.server.ops_token.clone()),
                workbench: Workbench {
                    tools: Box::new(Tools::new(
                        Arc::clone(&policies),
                        decisions.is_some().then(|| settings.decisions.dir.clone()),
                    )),
                    turns: Turns::new(WORKBENCH_TURNS, "the workbench"),
                    shadow: decisions.as_ref().map(|log| Arc::clone(log.shadow())),
                    sessions: OperatorSessions::new(Arc::clone(&clock), Arc::clone(&entropy)),
                    secure_cookie: !settings.server.ops_listen.ip().is_loopback(),
                },
                access_clients: AccessClients::new(
                    Arc::clone(&store),
                    &settings.access.tokens,
                    settings.server.ops_token.as_ref(),
                ),
                access_records: AccessRecords::new(settings.database.cache.questions()),
                access_turns: Turns::new(ACCESS_TURNS, "the decision point"),
                access_base_url: settings.access.base_url.clone(),
                engine: Engine::new(started.loaded, settings.database.cache.principals()),
                domains: Domains::default(),
                decision_lookup: lookup(settings, &recorder, &store),
                decisions: recorder,
                cursors: cursors(keys, &entropy),
                searches: Searches::new(Arc::clone(&budgets)),
                revisions: Revisions::new(Arc::clone(&store)),
                explain: Box::new(DecisionExplainer),
                mint: KeyMint::new(sealer, Arc::clone(&clock), Arc::clone(&entropy)),
                last_used,
                nonces,
                rates: Arc::clone(&limits),
                replicas: ReportedFault::default(),
                keys: ReportedFault::default(),
                disk: ReportedFault::default(),
                render_metrics: Box::new(rendering(&metrics, &near_budgets)),
                budgets: Arc::clone(&budgets),
                clock,
                tasks: Tasks::new(),
                stopping: CancellationToken::new(),
            };
            state.engine.report(started.health);
            let state = Arc::new(state);
            let replica = Arc::new(replicas::Presence::new(settings, keys, run, &*state.clock));
            let shadow = decisions.as_ref().map(|log| Arc::clone(log.shadow()));
            let mut reloader = Reloader::new(
                policies,
                shadow,
                (Arc::clone(&state), Arc::clone(&store)),
                &started.taken,
            );
            Box::pin(reloader.load_domains()).await;
            Ok(Self {
                reloader: Mutex::new(Some(reloader)),
                state,
                store,
                replay,
                replica,
                limits,
                counters,
                near_budgets,
                unverified_expire_after: settings.portal.unverified_expire_after,
                sync_within: settings.sync_within,
                directories: [settings.data_dir.clone(), settings.decisions.dir.clone()]
                    .into_iter()
                    .chain(database::sqlite_dir(settings))
                    .collect(),
                sealing_keys: missing_keys::ids(&keys.sealing),
                confirmed,
                mail: Mutex::new(Some(mail)),
                entropy,
                decisions,
                metrics,
            })
        }
        .await;
        if built.is_err() {
            give_back(&opened).await;
        }
        built
    }
}

/// Releases the database's lease after a failed start, so that another machine need not wait for it to expire.
pub async fn give_back(replay: &Arc<dyn NonceStore>) {
    if let Err(error) = replay.clean_stop().await {
        tracing::warn!(%error, "the replay guard did not stop cleanly after a failed start");
    }
}

/// Looks up decisions: with several replicas, the denials of all of them.
fn lookup(settings: &Settings, own: &Recorder, store: &Arc<Store>) -> Box<dyn DecisionLookup> {
    if !settings.replay.is_shared() {
        return Box::new(own.clone());
    }
    Box::new(denials::SharedLookup {
        own: own.clone(),
        store: Arc::clone(store),
        runtime: Handle::current(),
    })
}

/// Identifies this run; random.
fn run(entropy: &dyn Entropy) -> String {
    let mut run = [0; 16];
    entropy.fill(&mut run);
    format!("{:032x}", u128::from_le_bytes(run))
}

fn parsed(base_url: &str) -> Result<users::BaseUrl, StartError> {
    let base = users::BaseUrl::parse(base_url)?;
    if let Some(warning) = base.warning() {
        tracing::warn!(base_url, "{warning}");
    }
    Ok(base)
}

fn rendering(
    metrics: &Metrics,
    near_budgets: &Arc<near_budgets::Watch>,
) -> impl Fn(&Arc<str>) -> String + Send + Sync + 'static {
    let (metrics, near) = (metrics.clone(), Arc::clone(near_budgets));
    move |digest| {
        // Not kept, so that digests do not accumulate.
        let loaded = momentary(|| {
            gauge!("charter_policies_loaded", "digest" => digest.to_string()).set(1);
        });
        metrics.render() + &loaded + &near.render()
    }
}
