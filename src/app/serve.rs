//! Two listeners, the work beside them, and the way out.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::settings::Settings;
use charter_http::edge::body_limits::{BodyLimits, BodyMemory};
use charter_http::edge::listen::{self, Bound};
use charter_http::edge::service::{Edge, EdgeConfig};
use charter_http::router;

use super::{App, StartError, background, open_files};

/// Connections at once on the operations listener.
const OPERATOR_CONNECTIONS: usize = 256;

/// Both listeners, bound but not yet answering.
pub struct Server {
    main: Bound,
    operations: Bound,
    access: Option<Bound>,
    base_url: Option<String>,
    max_connections: usize,
}

/// Times of last use are written, and database connections closed, in so much more than the grace.
const LAST_WORK: Duration = Duration::from_secs(2);

/// A running service.
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
    /// Binds both listeners.
    ///
    /// # Errors
    ///
    /// [`StartError::Listen`].
    pub fn bind(settings: &Settings) -> Result<Self, StartError> {
        Ok(Self {
            main: bind(settings.server.listen)?,
            operations: bind(settings.server.ops_listen)?,
            access: settings.access.listen.map(bind).transpose()?,
            base_url: settings.portal.base_url.clone(),
            max_connections: open_files::fit_connections(settings.server.edge.max_connections),
        })
    }

    /// Binds both listeners and lets go of them; what cannot be bound.
    pub(super) fn check(settings: &Settings) -> Vec<StartError> {
        let server = &settings.server;
        let (main, operations) = (bind(server.listen), bind(server.ops_listen));
        let access = settings.access.listen.map(bind).transpose();
        [main.err(), operations.err(), access.err()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Where clients reach the service: what the settings say, else the bound address.
    #[must_use]
    pub fn base_url(&self) -> String {
        let bound = || format!("http://{}", self.main.local_addr());
        self.base_url.clone().unwrap_or_else(bound)
    }

    /// Starts to answer.
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
        let state = &serving.app.state;
        let edge = |config| {
            let clock = Arc::clone(&serving.app.state.clock);
            Edge::new(config, clock, &*serving.app.entropy)
        };
        let main = listen::serve(
            self.main,
            router::main(Arc::clone(state)),
            edge(EdgeConfig {
                max_connections: self.max_connections,
                ..edge_config(settings)
            }),
            Some(state.origins.clone()),
            {
                let (stop, stopping) = (stop.clone(), state.stopping.clone());
                async move {
                    stop.cancelled().await;
                    stopping.cancel();
                }
            },
        );
        if let Some(access) = self.access {
            let stop = stop.clone();
            listeners.spawn(report(listen::serve(
                access,
                router::access_listener(Arc::clone(state)),
                // Gateways are few, and each has many connections.
                edge(EdgeConfig {
                    max_connections: self.max_connections,
                    max_connections_per_peer: self.max_connections,
                    ..edge_config(settings)
                }),
                None,
                async move { stop.cancelled().await },
            )));
        }
        let main_ended = CancellationToken::new();
        let operations = listen::serve(
            self.operations,
            router::operations_listener(Arc::clone(state)),
            edge(EdgeConfig {
                drain: Duration::ZERO,
                max_connections: OPERATOR_CONNECTIONS,
                max_connections_per_peer: OPERATOR_CONNECTIONS,
                ..edge_config(settings)
            }),
            None,
            {
                // Operators see that it stops, for as long as clients are served.
                let (stop, main_ended) = (stop.clone(), main_ended.clone());
                async move {
                    stop.cancelled().await;
                    main_ended.cancelled().await;
                }
            },
        );
        listeners.spawn(async move {
            report(main).await;
            main_ended.cancel();
        });
        listeners.spawn(report(operations));
        background::start(&serving.app, &serving.background, &stop_background);
        serving
    }
}

impl Serving {
    /// Where clients reach it.
    #[must_use]
    pub const fn main_address(&self) -> SocketAddr {
        self.main
    }

    /// Where operators reach it.
    #[must_use]
    pub const fn operations_address(&self) -> SocketAddr {
        self.operations
    }

    /// Where gateways reach the policy decision point, if it has a listener of its own.
    #[must_use]
    pub const fn access_address(&self) -> Option<SocketAddr> {
        self.access
    }

    /// The service's parts.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Waits for the end after `stop` was cancelled: requests under way, then writes that outlived
    /// their connections, then what is still pending. One deadline holds for all of them, whatever
    /// the database does, and [`LAST_WORK`] is left for what comes after requests that used it up.
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
        if let Err(error) = self.app.replay.clean_stop().await {
            tracing::error!(%error, "the replay guard could not note the clean stop");
        }
        if let Some(log) = self.app.decisions.clone() {
            // It blocks until the last line is written.
            let _ = tokio::task::spawn_blocking(move || log.close()).await;
        }
        let closed = self.app.store.close();
        by(end, "database connections were", closed).await;
        tracing::info!("stopped");
    }
}

/// Waits for it until the grace is over.
async fn by(deadline: Instant, what: &'static str, end: impl Future<Output = ()>) {
    if tokio::time::timeout_at(deadline, end).await.is_err() {
        tracing::error!("{what} still under way when the grace was over");
    }
}

fn bind(address: SocketAddr) -> Result<Bound, StartError> {
    listen::listen(address).map_err(|error| StartError::Listen(address, error))
}

async fn report(serving: impl Future<Output = std::io::Result<()>>) {
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
