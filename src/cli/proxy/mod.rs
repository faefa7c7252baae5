//! `charter proxy`: signs the requests of programs on this machine that cannot sign.
//!
//! It reads requests as the server does, which would not see what this one has left out. `admit` decides who may use
//! it, `forward` signs and forwards a request, `refusal` answers in the server's error format.

mod admit;
mod error;
mod forward;
mod refusal;

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::request::{self, prepare};
use crate::settings;
use charter_domain::entropy::OsEntropy;
use charter_http::edge::config::FixedLimits;
use charter_http::edge::request_id::{RequestId, RequestIds};
use charter_http::edge::target;
use charter_http::edge::wire::WireStream;
pub use error::ProxyError;
use forward::Upstream;
use refusal::AnswerBody;

/// Limit of concurrent requests to the server; further ones wait.
const EXCHANGES: usize = 64;
/// Time for running requests when the proxy stops.
const GRACE: Duration = Duration::from_secs(10);
/// Pause before the next attempt to accept a connection while the machine is out of resources.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Sign what programs on this machine send to it, and pass it on to the server.
///
/// For languages and tools without a client that signs. Credentials come from `CHARTER_ACCESS_KEY` and
/// `CHARTER_SECRET_KEY`, the server from `CHARTER_BASE_URL`. Every program on this machine may use it, and acts as
/// that service account; web pages in a browser are refused.
#[derive(Debug, clap::Args)]
#[command(override_usage = "charter proxy [OPTIONS]")]
pub struct ProxyArgs {
    /// Where it listens, on loopback; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8765")]
    listen: SocketAddr,
    /// Where the server is
    #[arg(
        long,
        env = "CHARTER_BASE_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    base_url: String,
    /// The access key to sign with
    #[arg(long, env = "CHARTER_ACCESS_KEY", value_name = "KEY")]
    access_key: Option<String>,
    /// A file that holds the secret key alone, in place of `CHARTER_SECRET_KEY`
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// The largest body in bytes, as `server.body_limit` of the server
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    body_limit: usize,
}

/// Runs until SIGINT or SIGTERM, then finishes running requests.
pub fn run(args: &ProxyArgs, out: &mut dyn Write) -> Result<ExitCode, ProxyError> {
    if !args.listen.ip().is_loopback() {
        return Err(ProxyError::NotLoopback(args.listen));
    }
    let access_key = request::present("CHARTER_ACCESS_KEY", args.access_key.as_deref())?;
    let origin = prepare::origin(&args.base_url)?;
    let upstream = Upstream::new(origin, access_key, secret_key(args)?, args.body_limit);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(EXCHANGES)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(serve(args.listen, Arc::new(upstream), out));
    runtime.shutdown_background();
    ended.map(|()| ExitCode::SUCCESS)
}

fn secret_key(args: &ProxyArgs) -> Result<SecretString, ProxyError> {
    let Some(path) = &args.secret_key_file else {
        let secret = settings::client_secret().unwrap_or_default();
        request::secret(Some(secret.expose_secret()))?;
        return Ok(secret);
    };
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| ProxyError::SecretFile(path.clone(), error))?;
    let refused = |why| ProxyError::SecretFile(path.clone(), std::io::Error::other(why));
    match text.trim_end() {
        "" => Err(refused("it is empty")),
        secret if request::is_secret(secret) => Ok(secret.into()),
        _ => Err(refused(
            "it must hold visible ASCII characters, without white space",
        )),
    }
}

async fn serve(
    address: SocketAddr,
    upstream: Arc<Upstream>,
    out: &mut dyn Write,
) -> Result<(), ProxyError> {
    let cannot_listen = |error| ProxyError::Listen(address, error);
    // Before anything else: a signal without a handler would abort running requests.
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
    let own = listener.local_addr().map_err(cannot_listen)?;
    let (server, access_key) = upstream.names();
    writeln!(
        out,
        "charter proxy listens on http://{own} and signs for {server} as {access_key}"
    )?;
    out.flush()?;
    let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
    let request_ids = Arc::new(RequestIds::new(&OsEntropy));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let shared = Shared {
            own,
            upstream: Arc::clone(&upstream),
            request_ids: Arc::clone(&request_ids),
        };
        connections.spawn(connection(stream, shared, stop.clone()));
    }
    drop(listener);
    stop.cancel();
    connections.close();
    let _cut_off = tokio::time::timeout(GRACE, connections.wait()).await;
    Ok(())
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    own: SocketAddr,
    upstream: Arc<Upstream>,
    request_ids: Arc<RequestIds>,
}

impl Shared {
    async fn answer(self, request: Request<Incoming>) -> Response<AnswerBody> {
        let request_id = RequestId::choose(request.headers(), &self.request_ids);
        let checked = target::check(request.version(), request.uri(), request.headers())
            .and_then(|()| admit::admit(&request, self.own));
        let answer = match checked {
            Ok(()) => self.upstream.forward(request).await,
            Err(error) => Err(error.into()),
        };
        let mut answer = answer.unwrap_or_else(|refusal| refusal.answer(&request_id));
        // Something in between may have answered without.
        if !answer.headers().contains_key("x-request-id") {
            request_id.write(answer.headers_mut());
        }
        answer
    }
}

async fn connection(stream: TcpStream, shared: Shared, stop: CancellationToken) {
    let request_ids = Arc::clone(&shared.request_ids);
    let stream = WireStream::of_another_server(stream, FixedLimits::default(), request_ids);
    let service = service_fn(move |request| {
        let answer = shared.clone().answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut server = http1::Builder::new();
    let serving = server
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    // A failed connection concerns only its client, which notices it.
    let _ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
}
