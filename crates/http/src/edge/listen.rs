//! The listening socket and the limits of a connection (RFC 9112, RFC 9113): HTTP/1.1, and
//! HTTP/2 with prior knowledge, on one port.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use salvo::conn::tcp::TcpCoupler;
use salvo::conn::{Accepted, Acceptor, ConnCtrl, Holding, StraightStream};
use salvo::fuse::{ArcFusePolicy, FuseAction, FuseConfig, FuseInfo, TransProto};
use salvo::http::Version;
use salvo::http::uri::Scheme;
use salvo::rt::tokio::TokioTimer;
use salvo::{Router, Server};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::edge::config::{EdgeConfig, FixedLimits};
use crate::edge::connections::Connections;
use crate::edge::head_size::LIBRARY_LIMIT;
use crate::edge::origin::Origins;
use crate::edge::request_id::RequestIds;
use crate::edge::service::Edge;
use crate::edge::unread_body::STREAM_WINDOW;
use crate::edge::wire::WireStream;

/// Limit of unread bytes of all bodies of an HTTP/2 connection; and the buffer of one response.
const CONNECTION_WINDOW: u32 = 256 * 1024;
const SEND_BUFFER: usize = 64 * 1024;

/// The operating system's send buffer of a connection in bytes, which it doubles for bookkeeping. By default it
/// grows to megabytes for a client that does not read, and copying those for hundreds of clients at once would
/// delay everyone.
const SOCKET_SEND_BUFFER: u32 = 128 * 1024;

/// Limit of connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Interval of checks for clients that do not read.
const STALL_CHECK: Duration = Duration::from_secs(1);

/// When the service stops: how long an idle connection may take to close.
const CLOSE_TIME: Duration = Duration::from_secs(1);
const CLOSE_CHECK: Duration = Duration::from_millis(50);

/// After a failed accept: before the next attempt, and before the next log line.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// A bound socket that does not accept yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    local_addr: SocketAddr,
}

impl Bound {
    /// With the actual port if 0 was requested.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

/// Binds a socket and listens.
pub fn listen(address: SocketAddr) -> io::Result<Bound> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit it.
    socket.set_send_buffer_size(SOCKET_SEND_BUFFER)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let local_addr = listener.local_addr()?;
    Ok(Bound {
        listener,
        local_addr,
    })
}

/// Serves the router behind the edge, with CORS if browsers may call, until `shutdown` is ready. During `drain`,
/// clients are still served and asked to close; then no connection is accepted but those that the operating system
/// has taken already, and running requests may finish within `graceful_timeout`. Fails if the socket fails.
pub async fn serve(
    bound: Bound,
    router: Router,
    edge: Edge,
    origins: Option<Origins>,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let config = edge.config().clone();
    let acceptor = WireAcceptor::new(bound, &edge);
    let (entrance, connections) = (Arc::clone(&acceptor.entrance), edge.connections());
    let traffic = edge.traffic();
    let server = server(acceptor, &config);
    let handle = server.handle();
    let stop = async {
        shutdown.await;
        traffic.drain();
        connections.tell_http2();
        // Whole, even if nobody is connected: a balancer sends new connections until it has noticed.
        sleep(config.drain).await;
        // From here on clients are refused and can go to another instance instead of waiting.
        entrance.close().await;
        connections.finish();
        let idle = async {
            sleep(CLOSE_TIME).await;
            while !traffic.is_idle() {
                sleep(CLOSE_CHECK).await;
            }
        };
        tokio::select! {
            () = connections.gone() => {}
            () = idle => {}
            () = sleep(config.graceful_timeout) => {}
        }
        handle.stop_forceful();
        pending::<()>().await;
    };
    let end_stalled = async {
        loop {
            sleep(STALL_CHECK).await;
            traffic.end_stalled();
        }
    };
    tokio::select! {
        result = server.try_serve(edge.guard(router, origins)) => result,
        () = stop => Ok(()),
        () = end_stalled => Ok(()),
    }
}

/// The HTTP library's server with our limits.
fn server(acceptor: WireAcceptor, config: &EdgeConfig) -> Server<WireAcceptor> {
    let mut server = Server::new(acceptor)
        .max_connections(config.max_connections)
        .fuse_config(
            // The wire stream limits the head's time, because it can tell it from idle time.
            FuseConfig::disabled()
                .with_connection_idle_timeout(config.idle_timeout)
                .with_write_stall_timeout(config.fixed.write_stall_timeout)
                .with_request_body_timeout(config.body.deadline),
        );
    server
        .http1_mut()
        // A client may close its sending side and still wait for the response.
        .half_close(true)
        .header_read_timeout(None)
        .max_headers(config.fixed.max_headers)
        .max_header_size(config.fixed.max_head_bytes)
        .max_buf_size(config.fixed.max_head_bytes.saturating_mul(2).max(64 * 1024));
    server
        .http2_mut()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(
            u32::try_from(config.fixed.max_head_bytes.saturating_mul(LIBRARY_LIMIT))
                .unwrap_or(u32::MAX),
        )
        .keep_alive_interval(config.idle_timeout / 3)
        .keep_alive_timeout(config.fixed.head_timeout);
    server
}

/// Accepts TCP connections and wraps each in a [`WireStream`].
struct WireAcceptor {
    entrance: Arc<Entrance>,
    holdings: Vec<Holding>,
    limits: FixedLimits,
    request_ids: Arc<RequestIds>,
    connections: Connections,
    failures: AcceptFailures,
}

impl WireAcceptor {
    fn new(bound: Bound, edge: &Edge) -> Self {
        let config = edge.config();
        Self {
            entrance: Arc::new(Entrance::new(bound.listener)),
            holdings: vec![Holding {
                local_addr: bound.local_addr.into(),
                http_versions: vec![Version::HTTP_11, Version::HTTP_2],
                http_scheme: Scheme::HTTP,
            }],
            limits: config.fixed,
            request_ids: edge.request_ids(),
            connections: edge.connections(),
            failures: AcceptFailures::default(),
        }
    }
}

/// Where connections come in, until it is closed.
struct Entrance {
    /// `None` once it is closed.
    listener: Mutex<Option<TcpListener>>,
    is_closing: AtomicBool,
    /// Wakes who waits for a connection.
    closing: Notify,
    closed: Notify,
}

impl Entrance {
    fn new(listener: TcpListener) -> Self {
        Self {
            listener: Mutex::new(Some(listener)),
            is_closing: AtomicBool::new(false),
            closing: Notify::new(),
            closed: Notify::new(),
        }
    }

    /// The next connection; waits for ever once it is closed.
    async fn connection(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            tokio::select! {
                biased;
                accepted = poll_fn(|context| self.poll(context)) => return accepted,
                () = self.closing.notified() => {}
            }
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let mut listener = self.listener.lock();
        let polled = match &*listener {
            Some(listener) => listener.poll_accept(context),
            None => Poll::Pending,
        };
        if polled.is_pending() && self.is_closing.load(Ordering::Acquire) {
            listener.take();
            self.closed.notify_one();
        }
        polled
    }

    /// Closes it once the connections are accepted that the operating system has taken: it would reset them with the
    /// requests that they have sent. It does so if they are more than the limit of connections allows.
    async fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.closing.notify_one();
        if timeout(CLOSE_TIME, self.closed.notified()).await.is_err() {
            self.listener.lock().take();
        }
    }
}

/// Failed accepts since the last log line.
#[derive(Default)]
struct AcceptFailures {
    count: u64,
    last_line: Option<Instant>,
}

impl AcceptFailures {
    /// Logs accept failures, rate-limited, and pauses: when descriptors or memory are exhausted, the next attempt
    /// would fail at once.
    async fn note(&mut self, error: &io::Error) {
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
        ) {
            return;
        }
        if let Some(failures) = self.due(Instant::now()) {
            tracing::error!(
                %error, failures,
                "cannot accept connections; raise the limit of open files, or lower `server.max_connections`"
            );
        }
        sleep(ACCEPT_BACKOFF).await;
    }

    /// Counts a failure; the number since the last line, if another one is due.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        let is_early = |last| now.saturating_duration_since(last) < ACCEPT_LOG_INTERVAL;
        if self.last_line.is_some_and(is_early) {
            return None;
        }
        self.last_line = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

impl Acceptor for WireAcceptor {
    type Coupler = TcpCoupler<Self::Stream>;
    type Stream = WireStream<StraightStream<TcpStream>>;

    fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    async fn accept(
        &mut self,
        fuse_policy: Option<ArcFusePolicy>,
    ) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        loop {
            let (socket, remote) = match self.entrance.connection().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.failures.note(&error).await;
                    continue;
                }
            };
            // Responses are small and written at once; waiting to fill a segment only delays them. It fails if the
            // client has disconnected already.
            let Ok(local) = socket.set_nodelay(true).and_then(|()| socket.local_addr()) else {
                continue;
            };
            let conn_ctrl = ConnCtrl::new();
            let Some(open) = self.connections.admit(remote, local.ip(), &conn_ctrl) else {
                metrics::counter!("charter_http_connections_refused_total").increment(1);
                continue;
            };
            let local_addr: salvo::conn::SocketAddr = local.into();
            let fuse_config = match &fuse_policy {
                None => None,
                Some(policy) => {
                    let info = FuseInfo {
                        trans_proto: TransProto::Tcp,
                        remote_addr: remote.into(),
                        local_addr: local_addr.clone(),
                    };
                    match policy.decide(&info).await {
                        FuseAction::Accept(config) => Some(config),
                        FuseAction::Reject => continue,
                    }
                }
            };
            let stream = StraightStream::new(socket, fuse_config, conn_ctrl.clone(), None);
            return Ok(Accepted {
                coupler: TcpCoupler::new(),
                stream: WireStream::new(stream, open, self.limits, Arc::clone(&self.request_ids)),
                fuse_config,
                conn_ctrl,
                local_addr,
                remote_addr: remote.into(),
                http_scheme: Scheme::HTTP,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_to_accept_have_a_line_now_and_then() {
        let mut failures = AcceptFailures::default();
        let start = Instant::now();
        assert_eq!(failures.due(start), Some(1));
        for _ in 0..100 {
            assert_eq!(failures.due(start), None);
        }
        assert_eq!(failures.due(start + ACCEPT_LOG_INTERVAL), Some(101));
    }
}
