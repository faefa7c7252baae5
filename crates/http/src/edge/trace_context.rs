//! W3C Trace Context: a request belongs to its client's trace, and is a span of it if spans are exported.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use salvo::Request;
use salvo::http::HeaderMap;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// `traceparent` and `tracestate`. A duplicated header is malformed and ignored.
struct UniqueHeaders<'a>(&'a HeaderMap);

impl Extractor for UniqueHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all(key).into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(AsRef::as_ref).collect()
    }
}

fn parent(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &UniqueHeaders(headers))
}

fn trace_id_of(context: &Context) -> Option<String> {
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// The request's trace: of its own span if it has one, else the client's.
pub(super) fn trace_id(headers: &HeaderMap, span: &Span) -> Option<String> {
    trace_id_of(&span.context()).or_else(|| trace_id_of(&parent(headers)))
}

/// The span of a request, named and described by the semantic conventions for HTTP servers; fields that are not
/// known yet are empty. Excludes the query and all other headers.
pub(super) fn request_span(request: &Request, request_id: &str, method: &str, route: &str) -> Span {
    let span = tracing::info_span!(
        target: "charter::trace",
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        url.path = request.uri().path(),
        "error.type" = tracing::field::Empty,
        charter.request_id = request_id,
        charter.organization = tracing::field::Empty,
        charter.principal = tracing::field::Empty,
        charter.key = tracing::field::Empty,
        charter.decision = tracing::field::Empty,
    );
    // Fails only if spans are not exported.
    let _ = span.set_parent(parent(request.headers()));
    span
}

/// A part of a request as a span within the request's. Costs nothing while spans are not exported.
pub(crate) fn stage(name: &'static str) -> Span {
    tracing::info_span!(target: "charter::trace", "stage", otel.name = name)
}

#[cfg(test)]
mod tests {
    use salvo::http::HeaderValue;

    use super::*;

    const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn taken(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("traceparent", HeaderValue::from_str(line).expect("a value"));
        }
        trace_id(&headers, &Span::none())
    }

    #[test]
    fn a_well_formed_trace_is_taken_over() {
        let parent = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
        assert_eq!(taken(&[&parent]).as_deref(), Some(TRACE_ID));
        for bad in [
            "",
            "x",
            &parent.to_uppercase(),
            &parent.replace("00-4", "ff-4"),
            &parent.replace(TRACE_ID, &"0".repeat(32)),
            &parent.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &format!("{parent}-more"),
        ] {
            assert_eq!(taken(&[bad]), None, "`{bad}`");
        }
        assert_eq!(taken(&[]), None);
        assert_eq!(taken(&[&parent, &parent]), None);
    }
}
