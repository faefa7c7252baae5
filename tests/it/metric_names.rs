//! The metrics that the sources record are those of the catalogue that operators read.

use std::collections::{BTreeMap, BTreeSet};

use charter::telemetry::catalogue::{METRICS, MetricKind};

use crate::sources;

#[test]
fn the_recorded_metrics_are_those_of_the_catalogue_with_kind_and_labels() {
    let catalogue: BTreeMap<&str, _> = METRICS.iter().map(|metric| (metric.name, metric)).collect();
    let mut recorded = BTreeSet::new();
    for source in ["src", "crates"].into_iter().flat_map(sources::below) {
        let code = sources::code(&source.text);
        for (index, macro_name) in code.tokens.iter().enumerate() {
            let kind = match macro_name.as_str() {
                "counter" => MetricKind::Counter,
                "gauge" => MetricKind::Gauge,
                "histogram" => MetricKind::Histogram,
                _ => continue,
            };
            let Some([bang, _, name, rest @ ..]) = code.tokens.get(index + 1..) else {
                continue;
            };
            let Some(name) = literal(name).filter(|_| bang == "!") else {
                continue;
            };
            let metric = catalogue.get(name).unwrap_or_else(|| {
                panic!(
                    "{}: `{name}` is not in src/telemetry/catalogue.rs",
                    source.path
                )
            });
            recorded.insert(metric.name);
            assert_eq!(metric.kind, kind, "{}: `{name}`", source.path);
            let end = rest.iter().position(|token| token == ")").unwrap();
            let labels: Vec<&str> = rest[..end]
                .windows(3)
                .filter(|window| window[1] == "=" && window[2] == ">")
                .filter_map(|window| literal(&window[0]))
                .collect();
            assert_eq!(
                metric.labels, labels,
                "{}: the labels of `{name}`",
                source.path
            );
        }
    }
    let silent: Vec<&str> = catalogue
        .into_keys()
        .filter(|name| !recorded.contains(name))
        .collect();
    assert!(silent.is_empty(), "nothing records {silent:?}");
}

fn literal(token: &str) -> Option<&str> {
    token.strip_prefix('"')?.strip_suffix('"')
}
