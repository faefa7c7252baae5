//! Resident memory for each key in use.

use crate::charter::Charter;
use crate::load;
use crate::requests;
use crate::tenants::Tenants;

const CONNECTIONS: usize = 32;
const AT_ONCE: usize = 20_000;
const WARM_UP: usize = 40_000;

/// Uses every key once and reports the growth. The first requests allocate memory of their own.
pub(crate) fn of_keys(server: &Charter, tenants: &Tenants) -> String {
    let keys = &tenants.keys;
    let warm_up = requests::reads(&keys[..1], &server.host, WARM_UP);
    load::run(&server.host, &warm_up, CONNECTIONS);
    let before = server.resident_kib();
    let mut failed = 0;
    for keys in keys.chunks(AT_ONCE) {
        let reads = keys.iter().map(|key| requests::read(key, &server.host));
        let reads: Vec<_> = reads.collect();
        failed += load::run(&server.host, &reads, CONNECTIONS).unexpected;
    }
    let after = server.resident_kib();
    let used = keys.len();
    let each = after.saturating_sub(before) as f64 * 1024.0 / used as f64;
    format!(
        "resident memory {before} KiB before each of {used} keys was used once, {after} KiB after: {each:.0} \
         bytes a key, a nonce included; other answers {failed}"
    )
}

/// Uses every session once.
pub(crate) fn use_sessions(server: &Charter, tokens: &[String]) {
    for tokens in tokens.chunks(AT_ONCE) {
        let reads = tokens
            .iter()
            .map(|token| requests::bearer_read(token, &server.host));
        let reads: Vec<_> = reads.collect();
        let read = load::run(&server.host, &reads, CONNECTIONS);
        assert_eq!(read.unexpected, 0, "each session reads: {:?}", read.errors);
    }
}
