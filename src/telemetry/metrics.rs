//! Records metrics, and renders them as text for Prometheus.

use std::fs;
use std::sync::OnceLock;

use ::metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::catalogue::{METRICS, MetricKind};
use super::dropped_lines;

/// In seconds: from one decision in memory to a request that reached its deadline.
const BUCKETS: &[f64] = &[
    0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be recorded: {0}")]
pub struct Error(String);

#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

impl Recorder {
    /// Installs the process's recorder; later calls return the same one. Call it before anything that holds a
    /// counter is built: counters created earlier count nothing.
    pub fn install() -> Result<Self, Error> {
        static INSTALLED: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
        INSTALLED
            .get_or_init(|| build_and_install().map_err(|error| error.to_string()))
            .clone()
            .map(Self)
            .map_err(Error)
    }

    /// All metrics in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        record_process();
        dropped_lines::report();
        self.0.render()
    }

    /// Moves recorded durations from their buffers into buckets, as rendering does. Call it every few seconds:
    /// without scrapes the buffers would grow. Also reports dropped log lines.
    pub fn upkeep(&self) {
        dropped_lines::report();
        self.0.run_upkeep();
    }
}

/// Renders what `record` records, without keeping it; for labels that would accumulate.
pub fn momentary(record: impl FnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    ::metrics::with_local_recorder(&recorder, || {
        describe_all();
        record();
    });
    recorder.handle().render()
}

fn build_and_install() -> Result<PrometheusHandle, Box<dyn std::error::Error>> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(BUCKETS)?
        .build_recorder();
    let handle = recorder.handle();
    ::metrics::set_global_recorder(recorder)?;
    describe_all();
    for metric in METRICS {
        // An alarm on a counter needs an initial 0.
        if metric.kind == MetricKind::Counter && metric.labels.is_empty() {
            counter!(metric.name).increment(0);
        }
    }
    gauge!("charter_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    Ok(handle)
}

fn describe_all() {
    for metric in METRICS {
        match metric.kind {
            MetricKind::Counter => describe_counter!(metric.name, metric.help),
            MetricKind::Gauge => describe_gauge!(metric.name, metric.help),
            MetricKind::Histogram => describe_histogram!(metric.name, Unit::Seconds, metric.help),
        }
    }
}

/// Available on Linux only.
fn record_process() {
    let resident_kib = fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").parse::<u32>().ok()
        });
    if let Some(kib) = resident_kib {
        gauge!("process_resident_memory_bytes").set(f64::from(kib) * 1024.0);
    }
    if let Some(open) = fs::read_dir("/proc/self/fd")
        .ok()
        .and_then(|fds| u32::try_from(fds.count()).ok())
    {
        gauge!("process_open_fds").set(f64::from(open));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_metrics_are_rendered_with_their_help() {
        let recorder = Recorder::install().expect("installed");
        counter!("charter_authn_rejections_total", "code" => "KEY_REVOKED").increment(3);
        ::metrics::histogram!("charter_store_write_seconds").record(0.002);
        recorder.upkeep();
        let text = Recorder::install().expect("the same one").render();
        for line in [
            "# HELP charter_authn_rejections_total Requests whose credentials were refused.",
            "charter_authn_rejections_total{code=\"KEY_REVOKED\"} 3",
            "charter_store_write_seconds_bucket{le=\"0.0025\"} 1",
            "charter_audit_head_failures_total 0",
            "charter_build_info{version=\"",
        ] {
            assert!(text.contains(line), "`{line}` not in:\n{text}");
        }
    }

    #[test]
    fn momentary_metrics_are_rendered_once_and_forgotten() {
        let record = || {
            gauge!("charter_budget_used_ratio", "resource" => "writes", "organization" => "abc123")
                .set(0.9);
        };
        let text = momentary(record);
        let line = "charter_budget_used_ratio{resource=\"writes\",organization=\"abc123\"} 0.9";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("# HELP charter_budget_used_ratio"), "{text}");
        assert_eq!(momentary(|| ()), "");
        let all = Recorder::install().expect("the same one").render();
        assert!(!all.contains("abc123"), "{all}");
    }
}
