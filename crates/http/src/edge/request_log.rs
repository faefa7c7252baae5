//! Records a request: log line, metrics and span attributes. Excludes the query, all headers but the client
//! address, and secrets.

use std::net::IpAddr;
use std::time::Duration;

use salvo::http::{HeaderMap, StatusCode};
use tracing::Span;

use crate::edge::request_facts::{Facts, RequestFacts};
use crate::edge::request_metrics::RouteMetrics;
use crate::edge::trace_context;
use charter_domain::caller::Caller;

/// The log target, for `log.level`.
const TARGET: &str = "charter::requests";

/// Which requests are logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestLog {
    None,
    /// Refused or failed ones.
    #[default]
    Failed,
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
    /// The error's code in the response.
    pub(super) code: Option<&'a str>,
    pub(super) took: Duration,
}

/// Exact to the microsecond.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

impl Answered<'_> {
    /// Counts, and writes the log line if enabled.
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
        let code = self.code;
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
                // If the caller is known, so is its key.
                claimed_key = claimed_key.filter(|_| caller.is_none()),
                decision,
                trace_id = trace_context::trace_id(self.headers, self.span),
                duration_ms = milliseconds(self.took),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_no_more_digits_than_mean_something() {
        let took = Duration::from_secs_f64(0.136_488_296);
        assert_eq!(milliseconds(took).to_string(), "136.488");
    }
}
