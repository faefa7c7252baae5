//! Name, labels and help of every metric. A test compares the names that the sources use with this table.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only increases.
    Counter,
    /// Increases and decreases.
    Gauge,
    /// Durations in seconds.
    Histogram,
}

#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Durations end in `_seconds`, counters in `_total`.
    pub name: &'static str,
    pub kind: MetricKind,
    /// Label values come from closed sets, never from client input.
    pub labels: &'static [&'static str],
    /// One sentence for the operator.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($kind:ident $name:ident [$($label:ident),*] $help:literal)*) => {
        /// All metrics.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: stringify!($name),
            kind: MetricKind::$kind,
            labels: &[$(stringify!($label)),*],
            help: $help,
        }),*];
    };
}

metrics! {
    Gauge charter_build_info [version] "Always 1; `version` is the running version."
    Counter charter_panics_total [] "Panics; each is a defect."
    Counter charter_log_lines_dropped_total [] "Log lines that are missing: standard error was not read fast enough."
    Gauge charter_ready [part] "1 while this part of /readyz is ok, else 0; /readyz says why."
    Counter charter_http_requests_total [method, route, status] "Answered requests."
    Histogram charter_http_request_seconds [route] "From a request's head to its answer."
    Gauge charter_http_requests_in_flight [] "Requests being answered."
    Gauge charter_http_connections [] "Open connections on the clients' listener."
    Counter charter_http_connections_refused_total []
        "Connections closed at once because their client network has its share already."
    Counter charter_http_unread_answers_total [] "Answers whose connection was closed because nobody read them."
    Counter charter_http_overloaded_total [memory]
        "Requests refused because bodies, or unread answers, take all the memory they may."
    Counter charter_http_rate_limited_total []
        "Requests over a limit: of a key, an organization, a network or an account."
    Counter charter_budget_exhausted_total [resource]
        "Requests refused because their organization had used up its budget."
    Gauge charter_budget_used_ratio [resource, organization]
        "How much of its budget an organization has used; only those above 0.8, and of each resource the first five."
    Counter charter_authn_rejections_total [code] "Requests whose credentials were refused."
    Counter charter_mails_total [outcome]
        "Mails sent, failed (and tried again), withdrawn with their link, and dropped because it expired."
    Counter charter_replay_claims_total [outcome] "Nonces claimed, and refused by reason."
    Counter charter_replay_clock_stepped_back_total [] "Times the wall clock stepped back; look at the machine's time."
    Counter charter_replay_journal_errors_total [] "Writes of the replay journal that failed; requests answer 503."
    Gauge charter_replay_remembered [] "Nonces remembered."
    Gauge charter_replay_bytes [] "Bytes that remembered nonces take."
    Gauge charter_replay_buckets [] "Time buckets held."
    Gauge charter_replay_closed_until_seconds []
        "Unix time until which requests are refused because nonces may have been forgotten; 0 if none are."
    Counter charter_replay_epochs_total [] "Times Redis may have lost nonces; requests dated up to then are refused."
    Gauge charter_replicas [] "Processes that serve the database, as this one sees it."
    Counter charter_authz_decisions_total [permission, decision] "Decisions by permission."
    Counter charter_domain_decisions_total [domain, decision] "Decisions of domains of one's own, by domain."
    Counter charter_domain_shadow_differences_total [domain, direction]
        "Decisions of domains of one's own that their shadow policies would have made differently, by domain."
    Histogram charter_authz_decision_seconds []
        "Time to evaluate policies for a question; a remembered decision needs none."
    Counter charter_policies_reloads_total [outcome] "Edits of the policy folder, taken or refused."
    Gauge charter_policies_degraded [] "1 while the policy folder is not what is in force; /readyz says why."
    Gauge charter_policies_warnings [] "What should be looked at in the policies in force; /readyz lists it."
    Counter charter_authz_errored_forbids_total []
        "Forbids that could not be evaluated; what they may forbid is denied. Mend the policy."
    Counter charter_authz_evaluation_errors_total []
        "Policies, permits included, that could not be evaluated for a question; /readyz names them."
    Counter charter_decision_log_lost_total []
        "Decisions that are missing in the decision log: its queue was full, or its writer ended before they were written."
    Counter charter_decision_log_refused_total [] "Requests refused because their decision could not be put on record."
    Counter charter_decision_log_errors_total []
        "Tries to write the decision log that failed; what could not be written is tried again."
    Counter charter_decision_log_counted_total []
        "Allowed decisions that are counted in the decision log and not written one by one (`decisions.allowed_per_second`)."
    Counter charter_denials_unshared_total [reason]
        "Denials that are in one replica's decision log alone: their caller or organization had spent its share (`share`), or too many waited (`room`)."
    Counter charter_log_files_missed_total [file]
        "Files of the decision log, the audit heads or the replay journal that vanished or were cut while the service runs."
    Counter charter_shadow_decisions_total [] "Decisions that the shadow policies made, too."
    Counter charter_shadow_differences_total [permission, direction]
        "Decisions that the shadow policies would make differently: wider, narrower, or for another reason."
    Gauge charter_policies_loaded [digest] "Always 1; says which policy set decides."
    Histogram charter_store_write_seconds [] "Transactions that write, from begin to commit."
    Counter charter_store_unavailable_total [] "Requests refused because the database did not answer."
    Counter charter_store_connections_distrusted_total []
        "Times that database connections were closed because one failed or did not answer."
    Counter charter_store_change_looks_failed_total []
        "Looks for other processes' changes that failed; meanwhile rows are read for every request."
    Counter charter_audit_events_total [] "Audit events written."
    Counter charter_access_keys_unreadable_total []
        "Requests with an access key whose row or sealed secret cannot be read; the log names it. They are refused as with an unknown key."
    Counter charter_audit_head_failures_total [] "Heads of audit chains that could not be written outside the database."
    Gauge process_resident_memory_bytes [] "Memory of the process."
    Gauge process_open_fds [] "Open file descriptors of the process."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_are_these() {
        let table: Vec<String> = METRICS
            .iter()
            .map(|m| format!("{:?} {}{:?}: {}", m.kind, m.name, m.labels, m.help))
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn names_say_their_kind_and_unit() {
        for metric in METRICS {
            let is_total = metric.name.ends_with("_total");
            assert_eq!(
                is_total,
                metric.kind == MetricKind::Counter,
                "{}",
                metric.name
            );
            if metric.kind == MetricKind::Histogram {
                assert!(metric.name.ends_with("_seconds"), "{}", metric.name);
            }
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            let twins = METRICS.iter().filter(|other| other.name == metric.name);
            assert_eq!(twins.count(), 1, "{}", metric.name);
        }
    }
}
