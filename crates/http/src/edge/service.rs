//! The outermost layer, for matched and unmatched routes alike: request id, target and host, routing, panics, log
//! line, metrics, and headers of every response.
//!
//! It knows neither routes nor callers.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use salvo::conn::ConnCtrl;
use salvo::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use salvo::http::{Method, ResBody, StatusCode, Version};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, Router, Service, async_trait};
use tracing::{Instrument, Span};

use crate::edge::config::{EdgeConfig, FixedLimits};
use crate::edge::connections::{Connections, RunningRequest};
use crate::edge::context::RequestContext;
use crate::edge::origin::Origins;
use crate::edge::request_facts::RequestFacts;
use crate::edge::request_id::{self, RequestId, RequestIds};
use crate::edge::request_log::{Answered, RequestLog};
use crate::edge::request_metrics::RequestMetrics;
use crate::edge::traffic::{AnswerLimits, Traffic};
use crate::edge::{client_ip, head_size, target, trace_context, unread_body};
use crate::respond::redirect::redirect;
use crate::respond::{ApiError, ResponseErrorCode};
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;

/// A common spelling of `/docs`; the only path that is redirected.
const DOCS_AS_A_FOLDER: &str = "/docs/";
const DOCS: &str = "/docs";

/// Requests that a client may have sent before it reads GOAWAY. One that ignores it is cut off after so many.
const AFTER_GOAWAY: u64 = 1_000;

#[derive(Clone)]
pub struct Edge {
    config: EdgeConfig,
    clock: Arc<dyn Clock>,
    request_ids: Arc<RequestIds>,
    origins: Option<Origins>,
    /// Whether `x-request-id` comes back as it was sent for requests to this path.
    echoes: fn(&str) -> bool,
    traffic: Arc<Traffic>,
    connections: Connections,
    metrics: Arc<RequestMetrics>,
}

impl Edge {
    #[must_use]
    pub fn new(config: EdgeConfig, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Self {
        Self {
            traffic: Arc::new(Traffic::new(config.answer_memory)),
            connections: Connections::new(
                config
                    .max_connections
                    .checked_sub(config.reserved_connections)
                    .filter(|_| config.reserved_connections > 0)
                    .unwrap_or(usize::MAX),
                config.max_connections_per_peer,
                config.trusted_proxies.clone(),
            ),
            config,
            clock,
            request_ids: Arc::new(RequestIds::new(entropy)),
            origins: None,
            echoes: |_| false,
            metrics: Arc::default(),
        }
    }

    /// Whatever is answered to a request to such a path has its `x-request-id` as it was sent.
    #[must_use]
    pub fn echoing(mut self, is_path: fn(&str) -> bool) -> Self {
        self.echoes = is_path;
        self
    }

    pub(super) const fn config(&self) -> &EdgeConfig {
        &self.config
    }

    pub(super) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    pub(super) fn connections(&self) -> Connections {
        self.connections.clone()
    }

    pub(super) fn request_ids(&self) -> Arc<RequestIds> {
        Arc::clone(&self.request_ids)
    }

    /// Puts the router behind this edge, and behind CORS if browsers may call, for matched and unmatched routes
    /// alike.
    #[must_use]
    pub fn guard(mut self, router: Router, origins: Option<Origins>) -> Service {
        let cors = origins.as_ref().map(Origins::cors);
        self.origins = origins;
        let service = Service::new(router).hoop(self);
        match cors {
            Some(cors) => service.hoop(cors),
            None => service,
        }
    }

    fn check_head(&self, request: &Request) -> Result<(), ApiError> {
        let FixedLimits {
            max_headers,
            max_head_bytes,
            ..
        } = self.config.fixed;
        head_size::check(request, max_headers, max_head_bytes)?;
        target::check(request.version(), request.uri(), request.headers())
    }

    fn context(&self, request: &Request) -> RequestContext {
        let peer = request
            .remote_addr()
            .clone()
            .into_std()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        RequestContext {
            request_id: RequestId::choose(request.headers(), &self.request_ids),
            client_ip: client_ip::resolve(peer, request.headers(), &self.config.trusted_proxies),
            body_limits: self.config.body.clone(),
            facts: RequestFacts::new(
                self.config.requests != RequestLog::None || self.config.traces,
            ),
        }
    }
}

impl Edge {
    /// Counts the request, and lets the connection end with the last one that it may have: with GOAWAY on HTTP/2, on
    /// HTTP/1.1 with the response.
    fn count(&self, request: &Request, connection: &ConnCtrl) -> Option<RunningRequest> {
        let remote = request.remote_addr().clone().into_std()?;
        let local = request.local_addr().clone().into_std()?.ip();
        let (running, begun) = self.connections.begin(remote, local)?;
        let max = self.config.max_requests_per_connection;
        if begun >= max.saturating_add(AFTER_GOAWAY) {
            connection.abort();
        } else if begun >= max {
            connection.graceful_shutdown();
        }
        Some(running)
    }

    /// Calls the rest of the chain within the deadline, unless the head is refused.
    async fn respond(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        flow: &mut FlowCtrl,
        request_id: &RequestId,
        traced: Span,
    ) {
        if request.method().is_safe() && request.uri().path() == DOCS_AS_A_FOLDER {
            flow.skip_rest();
            redirect(response, DOCS);
        } else if let Err(error) = self.check_head(request) {
            flow.skip_rest();
            error.render(request_id.as_str(), response);
        } else {
            let span = tracing::debug_span!("request", request_id = request_id.as_str());
            let rest = tokio::time::timeout(
                self.config.request_deadline,
                flow.call_next(request, depot, response)
                    .instrument(span)
                    .instrument(traced),
            );
            // A panic can leave only the response inconsistent, and that is replaced.
            let failure = match AssertUnwindSafe(rest).catch_unwind().await {
                Ok(Ok(_)) => None,
                Ok(Err(_elapsed)) => Some(ApiError::unavailable("the request took too long", 1)),
                Err(panic) => {
                    let message = panic_message(panic.as_ref());
                    Some(ApiError::internal(format_args!("panic: {message}")))
                }
            };
            if let Some(error) = failure {
                flow.skip_rest();
                *response = Response::new();
                error.render(request_id.as_str(), response);
            }
        }
    }

    /// Sets what all responses have: errors in the common format, limits, headers.
    fn finish_response(
        &self,
        request: &Request,
        response: &mut Response,
        connection: &ConnCtrl,
        request_id: &RequestId,
        running: Option<RunningRequest>,
    ) {
        format_error(request_id.as_str(), response);
        if matches!(response.body, ResBody::Stream(_))
            && let Some(running) = running
        {
            // Events may be far apart.
            running.keep();
        }
        let length = response.body.size().filter(|_| {
            !matches!(
                response.status_code,
                Some(StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            )
        });
        let limits = AnswerLimits {
            stall: self.config.fixed.write_stall_timeout,
            request_id: request_id.as_str(),
        };
        self.traffic.hold(request, response, connection, limits);
        let headers = response.headers_mut();
        if let Some(origins) = &self.origins {
            origins.complete(request.headers(), headers);
        }
        let echoes = (self.echoes)(request.uri().path());
        if !(echoes && request_id::write_as_sent(request.headers(), headers)) {
            request_id.write(headers);
        }
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        if request.version() == Version::HTTP_2 {
            // HTTP/2 connections do not end with a request (RFC 9113 section 8.2.2).
            headers.remove(CONNECTION);
            if self.traffic.is_draining() {
                connection.graceful_shutdown();
            }
        } else if self.traffic.is_draining() || connection.is_graceful_shutdown() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if request.method() == Method::HEAD
            && let Some(length) = length
        {
            // The body itself is removed later.
            headers.entry(CONTENT_LENGTH).or_insert(length.into());
        }
    }
}

#[async_trait]
impl Handler for Edge {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        flow: &mut FlowCtrl,
    ) {
        let started = self.clock.monotonic();
        let _in_flight = self.traffic.enter();
        let running = self.count(request, flow.conn());
        let context = self.context(request);
        let request_id = context.request_id.clone();
        let (client_ip, facts) = (context.client_ip, context.facts.clone());
        depot.insert_typed(context);
        let metrics = self.metrics.of(request.matched_path());
        let method = method_label(request.method());
        let traced = if self.config.traces {
            trace_context::request_span(request, request_id.as_str(), method, metrics.route())
        } else {
            Span::none()
        };

        self.respond(request, depot, response, flow, &request_id, traced.clone())
            .await;
        self.finish_response(request, response, flow.conn(), &request_id, running);
        let answered = Answered {
            request_id: request_id.as_str(),
            method,
            metrics: &metrics,
            path: request.uri().path(),
            headers: request.headers(),
            client_ip,
            facts: &facts,
            span: &traced,
            status: response.status_code.unwrap_or(StatusCode::OK),
            code: response
                .extensions
                .get()
                .map(|ResponseErrorCode(code)| &**code),
            took: self.clock.monotonic().saturating_sub(started),
        };
        answered.record(self.config.requests);
        unread_body::discard(request, self.config.fixed.linger).await;
    }
}

/// Gives errors of the router and of extractors the common JSON format.
fn format_error(request_id: &str, response: &mut Response) {
    let Some(status) = response.status_code else {
        return;
    };
    if !(status.is_client_error() || status.is_server_error()) {
        return;
    }
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_json || response.body.is_none() || response.body.is_error() {
        ApiError::from_status(status).render(request_id, response);
    }
}

/// Unknown methods share one label, so that clients cannot create series.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
