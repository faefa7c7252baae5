//! Fits the number of connections to the limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For everything but clients: the database, journals, the decision log, operators, mail.
const RESERVED: u64 = 512;

/// The number of connections to allow, at most `wanted`. Raises the soft limit of open files (`RLIMIT_NOFILE`) as
/// needed; if that does not suffice, the number is lower, with a warning.
pub(super) fn fit_connections(wanted: usize) -> usize {
    let needed = RESERVED.saturating_add(wanted as u64);
    let limit = getrlimit(Resource::Nofile);
    let has = |limit: &Rlimit| limit.current.unwrap_or(u64::MAX);
    if has(&limit) >= needed {
        return wanted;
    }
    let raised = Rlimit {
        current: Some(limit.maximum.map_or(needed, |most| most.min(needed))),
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "could not raise the limit of open files");
    }
    let allowed = has(&getrlimit(Resource::Nofile));
    if allowed >= needed {
        return wanted;
    }
    let connections = fitting(allowed).min(wanted);
    tracing::warn!(
        open_files = allowed,
        wanted,
        connections,
        "`server.max_connections` is lowered, since the process may open too few files; allow {needed} \
         (LimitNOFILE in systemd, ulimit -n in a shell)"
    );
    connections
}

/// Half of the files if there are hardly more than the reserved ones.
fn fitting(allowed: u64) -> usize {
    let connections = allowed.saturating_sub(RESERVED).max(allowed / 2).max(1);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_left_for_what_is_no_client() {
        assert_eq!(fitting(10_512), 10_000);
        assert_eq!(fitting(1_024), 512);
        assert_eq!(fitting(400), 200);
        assert_eq!(fitting(0), 1);
    }
}
