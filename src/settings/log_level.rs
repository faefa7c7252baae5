//! `log.level`: a level, or `target=level` pairs; typing errors must not silence the log.

use charter_domain::similar;

/// The targets of the service; each includes all that begin with it and `::`.
const TARGETS: [&str; 13] = [
    "charter",
    "charter_authn",
    "charter_authz",
    "charter_budgets",
    "charter_decision_log",
    "charter_domain",
    "charter_http",
    "charter_mail",
    "charter_policy",
    "charter_store",
    "charter_system",
    "charter_wait_queue",
    "migration",
];

/// Parses directives. Without a default level, each must name an existing target: otherwise a mistyped target
/// would be the only thing logged.
pub(super) fn directives(text: &str) -> Result<String, String> {
    let mut pairs = Vec::new();
    for directive in text.split(',') {
        let (target, level) = match directive.rsplit_once('=') {
            Some((target, level)) => (Some(target.trim()), level.trim()),
            None => (None, directive.trim()),
        };
        // The parser reads an empty level as `error`.
        if level.is_empty()
            || level
                .parse::<tracing::level_filters::LevelFilter>()
                .is_err()
        {
            return Err(format!(
                "`{text}`: `{level}` is not a level: give `error`, `warn`, `info`, `debug`, `trace` or \
                 `off`, or pairs such as `warn,charter=debug`"
            ));
        }
        pairs.push(target);
    }
    if pairs.contains(&None) {
        return Ok(text.to_owned());
    }
    for target in pairs.into_iter().flatten() {
        if target.contains('[') {
            return Err(format!(
                "`{text}`: `{target}` is about spans, and nothing else would be logged: put a level in \
                 front, as in `info,{target}=debug`"
            ));
        }
        if !is_the_services(target) {
            let nearest = similar::nearest(target, TARGETS).unwrap_or_default();
            return Err(format!(
                "`{text}`: nothing of the service is logged under `{target}`: is `{nearest}` meant? For \
                 others, put a level in front, as in `info,{target}=debug`"
            ));
        }
    }
    Ok(text.to_owned())
}

/// Targets match by prefix, as in the filter.
fn is_the_services(target: &str) -> bool {
    TARGETS.iter().any(|known| {
        let rest = target.strip_prefix(known);
        known.starts_with(target) && !target.is_empty()
            || rest.is_some_and(|rest| rest.starts_with("::"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_would_silence_the_service_are_refused_with_a_suggestion() {
        for good in [
            "info",
            "off",
            "warn,charter=debug",
            "charter=debug",
            "charter_store=debug,charter::requests=info",
            "info,sqlx=debug,chartr=trace",
            "warn,charter[request]=info",
        ] {
            assert_eq!(directives(good).as_deref(), Ok(good));
        }
        for (bad, told) in [
            ("chartr=debug", "is `charter` meant?"),
            ("charter_storr=debug", "is `charter_store` meant?"),
            ("charter=info,sqlx=debug", "as in `info,sqlx=debug`"),
            ("charter[request]=info", "is about spans"),
            ("[request]=info", "is about spans"),
            ("charter=loud", "`loud` is not a level"),
            ("=info", "nothing of the service"),
        ] {
            let refused = directives(bad).expect_err(bad);
            assert!(refused.contains(told), "{bad}: {refused}");
        }
    }

    /// A crate missing here could not be named in directives.
    #[test]
    fn every_crate_of_the_service_is_a_target() {
        let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/crates");
        let mut found: Vec<String> = std::fs::read_dir(crates)
            .expect("the crates")
            .map(|entry| entry.expect("one").file_name().into_string().expect("text"))
            // It runs in the compiler.
            .filter(|name| name != "macros")
            .map(|name| format!("charter_{}", name.replace('-', "_")))
            .collect();
        found.extend(["charter", "migration"].map(str::to_owned));
        found.sort_unstable();
        assert_eq!(found, TARGETS);
    }
}
