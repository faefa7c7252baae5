//! Metrics of requests, looked up by name once for each series.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use parking_lot::RwLock;
use salvo::http::StatusCode;

/// The route label of unmatched requests.
const NO_ROUTE: &str = "none";

/// The series of each requested route.
#[derive(Default)]
pub(super) struct RequestMetrics(RwLock<HashMap<Box<str>, Arc<RouteMetrics>>>);

pub(super) struct RouteMetrics {
    route: String,
    seconds: Histogram,
    counts: RwLock<HashMap<(&'static str, StatusCode), Counter>>,
}

impl RequestMetrics {
    /// The series of a route, by its matched path.
    pub(super) fn of(&self, matched_path: &str) -> Arc<RouteMetrics> {
        if let Some(known) = self.0.read().get(matched_path) {
            return Arc::clone(known);
        }
        let mut routes = self.0.write();
        let route = routes
            .entry(matched_path.into())
            .or_insert_with(|| Arc::new(RouteMetrics::new(matched_path)));
        Arc::clone(route)
    }
}

impl RouteMetrics {
    fn new(matched_path: &str) -> Self {
        let route = match matched_path {
            "" => NO_ROUTE.to_owned(),
            path => format!("/{}", path.trim_start_matches('/')),
        };
        Self {
            seconds: histogram!("charter_http_request_seconds", "route" => route.clone()),
            counts: RwLock::default(),
            route,
        }
    }

    /// Its name in metrics and log lines.
    pub(super) fn route(&self) -> &str {
        &self.route
    }

    pub(super) fn record(&self, method: &'static str, status: StatusCode, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        if let Some(count) = self.counts.read().get(&(method, status)) {
            return count.increment(1);
        }
        let mut counts = self.counts.write();
        let count = counts.entry((method, status)).or_insert_with(|| {
            let (route, status) = (self.route.clone(), status.as_str().to_owned());
            counter!("charter_http_requests_total",
                "method" => method, "route" => route, "status" => status)
        });
        count.increment(1);
    }
}
