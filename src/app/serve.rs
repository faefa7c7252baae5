//! Starts the listeners and the background work, and stops them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::settings::Settings;
use charter_http::access;
use charter_http::edge::body_limits::{BodyLimits, BodyMemory};
use charter_http::edge::config::EdgeConfig;
use charter_http::edge::listen::{self, Bound};
use charter_http::edge::service::Edge;
use charter_http::router;

use super::{App, StartError, background, open_files};

/// Limit of connections on the operations listener.
const OPERATOR_CONNECTIONS: usize = 256;

/// Of these, the ones kept free, so that health, readiness and metrics are answered in a crowd, too.
const RESERVED_CONNECTIONS: usize = 32;

/// The listeners, bound but not yet accepting.
pub struct Server {
    main: Bound,
    operations: Bound,
    access: Option<Bound>,
    base_url: Option<String>,
    max_connections: usize,
}

/// Additional time after the grace for writing times of last use and closing database connections.
const LAST_WORK: Duration = Duration::from_secs(2);
/// Time after that for the replay guard's files and the decision log: long for a slow disk, an end for one that hangs.
const LAST_FILES: Duration = Duration::from_secs(30);

pub struct Serving {
    app: App,
    main: SocketAddr,
    operations: SocketAddr,
    access: Option<SocketAddr>,
    listeners: TaskTracker,
    background: TaskTracker,
    stop_background: CancellationToken,
    grace: Duration,
}

impl Server {
    /// Binds the listeners.
    pub fn bind(settings: &Settings) -> Result<Self, StartError> {
        Ok(Self {
            main: bind(settings.server.listen)?,
            operations: bind(settings.server.ops_listen)?,
            access: settings.access.listen.map(bind).transpose()?,
            base_url: settings.portal.base_url.clone(),
            max_connections: open_files::fit_connections(settings.server.edge.max_connections),
        })
    }

    /// Binds the listeners and closes them; returns what failed.
    pub(super) fn check(settings: &Settings) -> Vec<StartError> {
        let server = &settings.server;
        let (main, operations) = (bind(server.listen), bind(server.ops_listen));
        let access = settings.access.listen.map(bind).transpose();
        [main.err(), operations.err(), access.err()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The configured public address, or the bound one.
    #[must_use]
    pub fn base_url(&self) -> String {
        let bound = || format!("http://{}", self.main.local_addr());
        self.base_url.clone().unwrap_or_else(bound)
    }

    /// Starts accepting.
    #[must_use]
    pub fn start(self, app: App, settings: &Settings, stop: &CancellationToken) -> Serving {
        let listeners = TaskTracker::new();
        let stop_background = CancellationToken::new();
        let serving = Serving {
            main: self.main.local_addr(),
            operations: self.operations.local_addr(),
            access: self.access.as_ref().map(Bound::local_addr),
            stop_background: stop_background.clone(),
            listeners: listeners.clone(),
            background: TaskTracker::new(),
            grace: settings.server.edge.drain + settings.server.edge.graceful_timeout,
            app,
        };
        let app = &serving.app;
        let config = || EdgeConfig {
            max_connections: self.max_connections,
            ..edge_config(settings)
        };
        let main_ended = CancellationToken::new();
        let main = serve_clients(self.main, config(), app, stop.clone());
        if let Some(access) = self.access {
            let gateways = serve_gateways(access, config(), app, stop.clone());
            listeners.spawn(report(gateways));
        }
        // Operators can observe the stop as long as clients are served.
        let stops = [stop.clone(), main_ended.clone()];
        let operations = serve_operators(self.operations, config(), app, stops);
        listeners.spawn(async move {
            report(main).await;
            main_ended.cancel();
        });
        listeners.spawn(report(operations));
        background::start(app, &serving.background, &stop_background);
        serving
    }
}

fn serve_clients(
    bound: Bound,
    config: EdgeConfig,
    app: &App,
    stop: CancellationToken,
) -> impl Future<Output = io::Result<()>> + use<> {
    let stopping = app.state.stopping.clone();
    listen::serve(
        bound,
        router::main(Arc::clone(&app.state)),
        edge(app, config),
        Some(app.state.origins.clone()),
        async move {
            stop.cancelled().await;
            stopping.cancel();
        },
    )
}

/// Gateways are few, and each opens many connections.
fn serve_gateways(
    bound: Bound,
    config: EdgeConfig,
    app: &App,
    stop: CancellationToken,
) -> impl Future<Output = io::Result<()>> + use<> {
    let config = EdgeConfig {
        max_connections_per_peer: config.max_connections,
        ..config
    };
    listen::serve(
        bound,
        router::access_listener(Arc::clone(&app.state)),
        edge(app, config).echoing(access::is_path),
        None,
        async move { stop.cancelled().await },
    )
}

/// Stops after all of `stops`.
fn serve_operators(
    bound: Bound,
    config: EdgeConfig,
    app: &App,
    stops: [CancellationToken; 2],
) -> impl Future<Output = io::Result<()>> + use<> {
    let config = EdgeConfig {
        drain: Duration::ZERO,
        max_connections: OPERATOR_CONNECTIONS,
        max_connections_per_peer: OPERATOR_CONNECTIONS,
        reserved_connections: RESERVED_CONNECTIONS,
        ..config
    };
    listen::serve(
        bound,
        router::operations_listener(Arc::clone(&app.state)),
        edge(app, config).echoing(access::is_path),
        None,
        async move {
            for stop in stops {
                stop.cancelled().await;
            }
        },
    )
}

fn edge(app: &App, config: EdgeConfig) -> Edge {
    Edge::new(config, Arc::clone(&app.state.clock), &*app.entropy)
}

impl Serving {
    /// The address for clients.
    #[must_use]
    pub const fn main_address(&self) -> SocketAddr {
        self.main
    }

    /// The address for operators.
    #[must_use]
    pub const fn operations_address(&self) -> SocketAddr {
        self.operations
    }

    /// The address for gateways, if the policy decision point has a listener of its own.
    #[must_use]
    pub const fn access_address(&self) -> Option<SocketAddr> {
        self.access
    }

    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Waits for the end after `stop` was cancelled: for running requests, writes that outlived their connections,
    /// and pending background work. All share one deadline; [`LAST_WORK`] remains for the background work if
    /// requests used up the time, and [`LAST_FILES`] for what must be on the disk.
    pub async fn stopped(self) {
        let deadline = Instant::now() + self.grace;
        let end = deadline + LAST_WORK;
        self.listeners.close();
        by(deadline, "requests were", self.listeners.wait()).await;
        let tasks = self.app.state.tasks.close_and_wait();
        by(deadline, "writes were", tasks).await;
        self.stop_background.cancel();
        self.background.close();
        by(end, "background work was", self.background.wait()).await;
        let recorded = async {
            if let Err(error) = self.app.replay.clean_stop().await {
                tracing::error!(%error, "the replay guard could not record the clean stop");
            }
        };
        let files = Instant::now() + LAST_FILES;
        by(files, "recording the clean stop was", recorded).await;
        if let Some(log) = self.app.decisions.clone() {
            // Blocks until the last line is written.
            let closing = tokio::task::spawn_blocking(move || log.close());
            let closed = async { drop(closing.await) };
            by(files, "the decision log was", closed).await;
        }
        let closed = self.app.store.close();
        by(end, "database connections were", closed).await;
        tracing::info!("stopped");
    }
}

/// Waits until the deadline.
async fn by(deadline: Instant, what: &'static str, end: impl Future<Output = ()>) {
    if tokio::time::timeout_at(deadline, end).await.is_err() {
        tracing::error!("{what} still running when the grace period ended");
    }
}

fn bind(address: SocketAddr) -> Result<Bound, StartError> {
    listen::listen(address).map_err(|error| StartError::Listen(address, error))
}

async fn report(serving: impl Future<Output = io::Result<()>>) {
    if let Err(error) = serving.await {
        tracing::error!(%error, "a listener failed");
    }
}

fn edge_config(settings: &Settings) -> EdgeConfig {
    let edge = settings.server.edge.clone();
    EdgeConfig {
        body: BodyLimits {
            // Each listener has its own.
            memory: BodyMemory::new(edge.body.memory.bytes()),
            ..edge.body
        },
        requests: settings.log.requests,
        traces: settings.telemetry.otlp_endpoint.is_some(),
        ..edge
    }
}
