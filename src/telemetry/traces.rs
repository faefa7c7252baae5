//! Sends request spans to an OpenTelemetry collector: OTLP over HTTP, in batches, on a separate thread. A slow or
//! unavailable collector loses spans but delays neither requests nor the stop.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// Limit of spans that wait to be sent; further ones are dropped.
const WAITING_SPANS: usize = 4 * 1024;
/// Between batches.
const BATCH_INTERVAL: Duration = Duration::from_secs(2);
/// For one batch to be sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// For the last batch when the process ends.
const LAST_BATCH: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
#[error("spans cannot be exported: {0}")]
pub struct Error(String);

/// Dropping it stops the export and sends the remaining spans, within a second.
#[must_use]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the export. `endpoint` is the collector's base address, such as `http://127.0.0.1:4318`;
    /// `/v1/traces` is appended. `ratio` is the share of traces started here that are exported, from 0 to 1; a
    /// client's trace is exported if its `traceparent` is sampled. Fails if the endpoint is invalid.
    pub fn start(endpoint: &str, ratio: f64) -> Result<Self, Error> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new())
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(SEND_TIMEOUT)
            .build()
            .map_err(|error| Error(error.to_string()))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_SPANS)
            .with_max_export_batch_size(WAITING_SPANS / 8)
            .with_scheduled_delay(BATCH_INTERVAL)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(
                BatchSpanProcessor::builder(exporter)
                    .with_batch_config(batches)
                    .build(),
            )
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                ratio,
            ))))
            .with_resource(
                Resource::builder_empty()
                    .with_service_name("charter")
                    .with_attribute(opentelemetry::KeyValue::new(
                        "service.version",
                        env!("CARGO_PKG_VERSION"),
                    ))
                    .build(),
            )
            .build();
        Ok(Self(provider))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("charter")
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // Spans that could not be sent by then are lost.
        let _ = self.0.shutdown_with_timeout(LAST_BATCH);
    }
}

/// Sends on the calling thread, which belongs to the exporter.
struct Client(Agent);

impl Client {
    fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(SEND_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("charter/", env!("CARGO_PKG_VERSION")))
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::PlatformVerifier)
                    .build(),
            )
            .build();
        Self(config.into())
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let answer = self.0.run(Request::from_parts(head, body.to_vec()))?;
        let (head, mut body) = answer.into_parts();
        Ok(Response::from_parts(head, body.read_to_vec()?.into()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.send(request)
    }
}
