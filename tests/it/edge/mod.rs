//! The edge over real sockets: what it refuses, what it lets through, and that no answer has
//! another shape than the contract's (contract section 2).

mod connections;
mod early_answers;
mod floods;
mod http2_paths;
mod limits;
pub(crate) mod memory;
mod routing;
mod stopping;
mod target;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_http::edge::body_limits::{BodyLimits, BodyMemory};
use charter_http::edge::config::{EdgeConfig, FixedLimits};
use charter_http::edge::context::RequestContext;
use charter_http::edge::listen::{listen, serve};
use charter_http::edge::request_log::RequestLog;
use charter_http::edge::service::Edge;
use charter_http::extract::fields::Fields;
use charter_http::extract::query::Query;
use charter_http::extract::{body, json};
use charter_http::respond::ApiError;
use charter_http::respond::etag::EntityTag;
use salvo::http::header::HeaderValue;
use salvo::prelude::*;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// A running edge with a few routes behind it.
struct Server {
    address: SocketAddr,
    gate: Gate,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    fn start() -> Self {
        Self::with(test_config())
    }

    fn with(config: EdgeConfig) -> Self {
        let edge = Edge::new(config, Arc::new(SystemClock::start()), &OsEntropy);
        let bound = listen(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = bound.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let gate = Gate::default();
        #[expect(clippy::disallowed_methods, reason = "the server under test")]
        let task = tokio::spawn(serve(bound, router(gate.clone()), edge, None, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            gate,
            stop: Some(stop),
            task,
        }
    }

    fn begin_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).expect("it runs");
        }
    }

    async fn stop(mut self) {
        self.begin_to_stop();
        self.task.await.expect("no panic").expect("no error");
    }
}

/// Deadlines short enough to be waited for.
fn test_config() -> EdgeConfig {
    EdgeConfig {
        body: BodyLimits {
            max_bytes: 1_000,
            deadline: Duration::from_millis(400),
            memory: BodyMemory::new(1 << 20),
        },
        fixed: FixedLimits {
            head_timeout: Duration::from_millis(400),
            linger: Duration::from_millis(300),
            ..FixedLimits::default()
        },
        request_deadline: Duration::from_secs(5),
        idle_timeout: Duration::from_mins(1),
        answer_memory: 128 << 20,
        max_streams: 64,
        max_requests_per_connection: 10_000,
        max_connections: 10_000,
        reserved_connections: 0,
        max_connections_per_peer: 1_000,
        drain: Duration::ZERO,
        graceful_timeout: Duration::from_secs(5),
        requests: RequestLog::Failed,
        traces: false,
        trusted_proxies: Vec::new(),
    }
}

fn router(gate: Gate) -> Router {
    Router::new()
        .push(
            Router::with_path("organizations/info")
                .get(show)
                .patch(change),
        )
        .push(Router::with_path("things/{id}").get(thing))
        .push(Router::with_path("panic").get(panics))
        .push(Router::with_path("slow").get(slow))
        .push(Router::with_path("gate").get(gate))
        .push(Router::with_path("html").get(html))
        .push(Router::with_path("large").get(large))
        .push(Router::with_path("mebibyte").get(mebibyte).post(mebibyte))
}

#[handler]
async fn show(
    request: &mut Request,
    depot: &Depot,
    response: &mut Response,
) -> Result<(), ApiError> {
    let mut query = Query::parse(request.uri().query())?;
    let echo = query.text("echo");
    query.finish()?;
    let tag = EntityTag::new("org-1", 1);
    if tag.is_known_to(request.headers())? {
        tag.write_not_modified(response);
        return Ok(());
    }
    tag.write(response);
    let context = RequestContext::of(depot).expect("the edge put it there");
    response.render(Json(serde_json::json!({
        "target": request.uri().path_and_query().map(ToString::to_string),
        "echo": echo,
        "client_ip": context.client_ip.to_string(),
        "request_id": context.request_id.as_str(),
    })));
    Ok(())
}

#[handler]
async fn change(
    request: &mut Request,
    depot: &Depot,
    response: &mut Response,
) -> Result<(), ApiError> {
    let limits = RequestContext::of(depot)
        .expect("the edge put it there")
        .body_limits
        .clone();
    let bytes = body::read(request, &limits).await?;
    body::require_json(request.method(), request.headers())?;
    EntityTag::new("org-1", 1).check_if_match(request.headers())?;
    let mut fields = Fields::new(json::parse_object(&bytes)?);
    let name = fields.optional::<String>("name").flatten();
    fields.read_only("slug");
    fields.finish()?;
    response.render(Json(
        serde_json::json!({"name": name, "bytes": bytes.len()}),
    ));
    Ok(())
}

#[handler]
async fn thing(request: &mut Request) -> String {
    request.param::<String>("id").unwrap_or_default()
}

#[handler]
async fn panics() {
    panic!("the secret of the inside");
}

#[handler]
async fn slow() {
    std::future::pending::<()>().await;
}

/// A handler that says when it has begun, and goes on when the test lets it.
#[derive(Clone, Default)]
struct Gate {
    entered: Arc<Notify>,
    opened: Arc<Notify>,
}

#[handler]
impl Gate {
    async fn handle(&self, response: &mut Response) {
        self.entered.notify_one();
        self.opened.notified().await;
        response.render("through");
    }
}

/// More than any socket's buffers hold.
#[handler]
async fn large(response: &mut Response) {
    response.write_body(vec![b'x'; 64 << 20]).expect("a body");
}

/// Of one answer alone, and in pieces of some kilobytes, as a list is.
#[handler]
async fn mebibyte(response: &mut Response) {
    response.render(Json("x".repeat((1 << 20) - 2)));
    assert!(response.body.is_chunks());
}

#[handler]
async fn html(response: &mut Response) {
    response.status_code(StatusCode::BAD_GATEWAY);
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("text/html"));
    response.write_body("<h1>oops</h1>").expect("a body");
}
