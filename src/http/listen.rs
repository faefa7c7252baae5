//! The listening socket and the limits of a connection (RFC 9112, RFC 9113): HTTP/1.1, and
//! HTTP/2 with prior knowledge, on one port.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use salvo::conn::tcp::TcpCoupler;
use salvo::conn::{Accepted, Acceptor, ConnCtrl, Holding, StraightStream};
use salvo::fuse::{ArcFusePolicy, FuseAction, FuseConfig, FuseInfo, TransProto};
use salvo::http::Version;
use salvo::http::uri::Scheme;
use salvo::rt::tokio::TokioTimer;
use salvo::{Router, Server};
use tokio::net::{TcpListener, TcpStream};

use super::origin::Origins;
use super::request_id::RequestIds;
use super::service::{Edge, EdgeConfig};
use super::wire::{WireLimits, WireStream};

/// Concurrent requests on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;

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

/// Binds a socket.
///
/// # Errors
///
/// The operating system's.
pub async fn listen(address: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(address).await?;
    let local_addr = listener.local_addr()?;
    Ok(Bound {
        listener,
        local_addr,
    })
}

/// Serves the router behind the edge, with CORS where browsers may come, until `shutdown` is ready, then lets requests under way
/// finish, for at most `graceful_timeout`.
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
    let listener = acceptor.listener.clone();
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
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(config.max_head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(config.idle_timeout / 3)
        .keep_alive_timeout(config.head_timeout);
    let handle = server.handle();
    let stop = async {
        shutdown.await;
        // From here on clients are refused, and go to another instance, instead of waiting.
        drop(listener.lock().take());
        handle.stop_graceful(config.graceful_timeout);
        pending::<()>().await;
    };
    tokio::select! {
        result = server.try_serve(edge.guard(router, origins)) => result,
        () = stop => Ok(()),
    }
}

/// Accepts TCP connections and wraps each in a [`WireStream`].
struct WireAcceptor {
    /// `None` once the server stops.
    listener: Arc<Mutex<Option<TcpListener>>>,
    holdings: Vec<Holding>,
    limits: WireLimits,
    request_ids: Arc<RequestIds>,
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
            let (socket, remote) = self.connection().await?;
            // Answers are small and written at once; waiting to fill a segment only delays them.
            socket.set_nodelay(true)?;
            let local_addr: salvo::conn::SocketAddr = socket.local_addr()?.into();
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
            let conn_ctrl = ConnCtrl::new();
            let stream = StraightStream::new(socket, fuse_config, conn_ctrl.clone(), None);
            return Ok(Accepted {
                coupler: TcpCoupler::new(),
                stream: WireStream::new(stream, self.limits, Arc::clone(&self.request_ids)),
                fuse_config,
                conn_ctrl,
                local_addr,
                remote_addr: remote.into(),
                http_scheme: Scheme::HTTP,
            });
        }
    }
}
