//! The listening socket and the limits of a connection (RFC 9112, RFC 9113): HTTP/1.1, and
//! HTTP/2 with prior knowledge, on one port.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
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
use tokio::time::{Instant, sleep, timeout};

use crate::edge::connections::Connections;
use crate::edge::origin::Origins;
use crate::edge::request_id::RequestIds;
use crate::edge::service::{Edge, EdgeConfig};
use crate::edge::wire::{WireLimits, WireStream};

/// What an HTTP/2 client may send of one body, and of all bodies of a connection, before they are
/// read, in bytes; and what is buffered of one answer.
const STREAM_WINDOW: u32 = 64 * 1024 - 1;
const CONNECTION_WINDOW: u32 = 256 * 1024;
const SEND_BUFFER: usize = 64 * 1024;

/// What the operating system buffers of a connection's answers, in bytes; it doubles this for its own
/// bookkeeping. By default it takes megabytes for a client that does not read, and copying them for
/// hundreds of such clients at once holds up everybody.
const SOCKET_SEND_BUFFER: u32 = 128 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Between looks for clients that do not read.
const STALL_CHECK: Duration = Duration::from_secs(1);

/// When the service stops: how long a connection without a request has for its farewell.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_CHECK: Duration = Duration::from_millis(50);

/// After a failed accept: before the next, and before the next line about it.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// A bound socket that accepts nothing yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    local_addr: SocketAddr,
}

impl Bound {
    /// The address, with the real port where 0 was asked for.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

/// Binds a socket and listens.
///
/// # Errors
///
/// The operating system's.
pub fn listen(address: SocketAddr) -> io::Result<Bound> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Accepted sockets have it from the listening one.
    socket.set_send_buffer_size(SOCKET_SEND_BUFFER)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let local_addr = listener.local_addr()?;
    Ok(Bound {
        listener,
        local_addr,
    })
}

/// Serves the router behind the edge, with CORS where browsers may come, until `shutdown` is ready. Then
/// clients are still served for the time of `drain` and told to close; after that no connection is
/// accepted, and requests under way finish, for at most `graceful_timeout`.
///
/// # Errors
///
/// The operating system's, when the socket fails.
pub async fn serve(
    bound: Bound,
    router: Router,
    edge: Edge,
    origins: Option<Origins>,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let config = edge.config().clone();
    let acceptor = WireAcceptor::new(bound, &config, edge.request_ids());
    let (listener, connections) = (acceptor.listener.clone(), acceptor.connections.clone());
    let traffic = edge.traffic();
    let mut server = Server::new(acceptor)
        .max_connections(config.max_connections)
        .fuse_config(
            // The head's time is bounded by the wire stream, which tells it from idle time.
            FuseConfig::disabled()
                .with_connection_idle_timeout(config.idle_timeout)
                .with_write_stall_timeout(config.write_stall_timeout)
                .with_request_body_timeout(config.body.deadline),
        );
    server
        .http1_mut()
        // A client may close its sending side and still wait for the answer.
        .half_close(true)
        .header_read_timeout(None)
        .max_headers(config.max_headers)
        .max_header_size(config.max_head_bytes)
        .max_buf_size(config.max_head_bytes.saturating_mul(2).max(64 * 1024));
    server
        .http2_mut()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(config.max_head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(config.idle_timeout / 3)
        .keep_alive_timeout(config.head_timeout);
    let handle = server.handle();
    let stop = async {
        shutdown.await;
        traffic.drain();
        connections.tell_http2();
        // Where nobody is connected, nobody needs to be told.
        let _ = timeout(config.drain, connections.gone()).await;
        // From here on clients are refused, and go to another instance, instead of waiting.
        drop(listener.lock().take());
        connections.finish();
        let idle = async {
            sleep(FAREWELL).await;
            while !traffic.is_idle() {
                sleep(FAREWELL_CHECK).await;
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

/// Accepts TCP connections and wraps each in a [`WireStream`].
struct WireAcceptor {
    /// `None` once the server stops.
    listener: Arc<Mutex<Option<TcpListener>>>,
    holdings: Vec<Holding>,
    limits: WireLimits,
    request_ids: Arc<RequestIds>,
    connections: Connections,
    failures: AcceptFailures,
}

impl WireAcceptor {
    fn new(bound: Bound, config: &EdgeConfig, request_ids: Arc<RequestIds>) -> Self {
        Self {
            listener: Arc::new(Mutex::new(Some(bound.listener))),
            holdings: vec![Holding {
                local_addr: bound.local_addr.into(),
                http_versions: vec![Version::HTTP_11, Version::HTTP_2],
                http_scheme: Scheme::HTTP,
            }],
            limits: WireLimits {
                head: config.head_timeout,
                linger: config.linger,
            },
            request_ids,
            connections: Connections::new(
                config.max_connections_per_peer,
                config.trusted_proxies.clone(),
            ),
            failures: AcceptFailures::default(),
        }
    }

    /// The next connection; none any more once the listener is closed.
    async fn connection(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| match &*self.listener.lock() {
            Some(listener) => listener.poll_accept(context),
            None => Poll::Pending,
        })
        .await
    }
}

/// Accepts that failed since the last line about them.
#[derive(Default)]
struct AcceptFailures {
    count: u64,
    last_line: Option<Instant>,
}

impl AcceptFailures {
    /// Says once in a while that connections cannot be accepted, and waits before the next try: out
    /// of descriptors or memory, it would fail again at once.
    async fn note(&mut self, error: &io::Error) {
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
        ) {
            return;
        }
        self.count += 1;
        let is_due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= ACCEPT_LOG_INTERVAL);
        if is_due {
            let failures = std::mem::take(&mut self.count);
            tracing::error!(
                %error, failures,
                "connections cannot be accepted; raise the limit of open files, or lower `server.max_connections`"
            );
            self.last_line = Some(Instant::now());
        }
        sleep(ACCEPT_BACKOFF).await;
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
            let (socket, remote) = match self.connection().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.failures.note(&error).await;
                    continue;
                }
            };
            let conn_ctrl = ConnCtrl::new();
            let Some(open) = self.connections.admit(remote.ip(), &conn_ctrl) else {
                metrics::counter!("charter_http_connections_refused_total").increment(1);
                continue;
            };
            // Answers are small and written at once; waiting to fill a segment only delays them. Where
            // it fails the client has gone already.
            let Ok(local_addr) = socket.set_nodelay(true).and_then(|()| socket.local_addr()) else {
                continue;
            };
            let local_addr: salvo::conn::SocketAddr = local_addr.into();
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
