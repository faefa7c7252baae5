//! The record of a request: its line in the log, its metrics and what its span says. No query, no
//! header but the address, no secret.

use std::net::IpAddr;
use std::time::Duration;

use salvo::http::{HeaderMap, StatusCode};
use tracing::Span;

use crate::edge::request_facts::{Facts, RequestFacts};
use crate::edge::request_metrics::RouteMetrics;
use crate::edge::trace_context;
use crate::respond::Code;
use charter_domain::caller::Caller;

/// Whose lines these are, for `log.level`.
const TARGET: &str = "charter::requests";

/// Which requests have a line in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestLog {
    /// None.
    None,
    /// Those that were refused or failed.
    #[default]
    Failed,
    /// All.
    All,
}

impl RequestLog {
    fn takes(self, status: StatusCode) -> bool {
        match self {
            Self::None => false,
            Self::Failed => status.is_client_error() || status.is_server_error(),
            Self::All => true,
        }
    }
}

/// An answered request.
pub(super) struct Answered<'a> {
    pub(super) request_id: &'a str,
    pub(super) method: &'static str,
    pub(super) metrics: &'a RouteMetrics,
    pub(super) path: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) client_ip: IpAddr,
    pub(super) facts: &'a RequestFacts,
    pub(super) span: &'a Span,
    pub(super) status: StatusCode,
    /// Of an error.
    pub(super) code: Option<Code>,
    pub(super) took: Duration,
}

impl Answered<'_> {
    /// Writes the line, if it is wanted, and counts.
    pub(super) fn record(self, log: RequestLog) {
        let is_logged =
            log.takes(self.status) && tracing::enabled!(target: TARGET, tracing::Level::INFO);
        if is_logged || !self.span.is_disabled() {
            self.describe(is_logged);
        }
        self.metrics.record(self.method, self.status, self.took);
    }

    fn describe(&self, is_logged: bool) {
        let Facts {
            caller,
            claimed_key,
            decision,
        } = self.facts.take();
        let decision = decision.map(|id| id.to_string());
        let organization = caller
            .as_ref()
            .map(|caller| caller.organization().id.to_string());
        let principal = caller.as_ref().map(Caller::principal_id);
        let key = caller
            .as_ref()
            .and_then(Caller::access_key_id)
            .map(|key| key.to_string());
        let code = self.code.map(Code::as_str);
        if is_logged {
            tracing::info!(
                target: TARGET,
                request_id = self.request_id,
                method = self.method,
                route = self.metrics.route(),
                path = self.path,
                status = self.status.as_u16(),
                code,
                organization,
                principal,
                key,
                // Of a caller that is known, the key is.
                claimed_key = claimed_key.filter(|_| caller.is_none()),
                decision,
                trace_id = trace_context::trace_id(self.headers, self.span),
                duration_ms = self.took.as_secs_f64() * 1_000.0,
                client_ip = %self.client_ip,
                "request"
            );
        }
        let span = self.span;
        span.record("http.response.status_code", self.status.as_u16());
        for (field, value) in [
            ("charter.organization", organization.as_deref()),
            ("charter.principal", principal.as_deref()),
            ("charter.key", key.as_deref()),
            ("charter.decision", decision.as_deref()),
            ("error.type", code),
            (
                "otel.status_code",
                self.status.is_server_error().then_some("ERROR"),
            ),
        ] {
            if let Some(value) = value {
                span.record(field, value);
            }
        }
    }
}
