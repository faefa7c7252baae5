//! The cost of a claim, and the size of a remembered nonce: `cargo bench --bench replay`.
//!
//! Compare the sizes and ratios; absolute times depend on the machine.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot prepare its input has nothing to measure"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use charter_authn::nonces::{Bounds, NonceStore as _, ReplayGuard, ReplayGuardConfig};
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::entropy::OsEntropy;
use charter_domain::id::{AccessKeyId, OrganizationId};
use secrecy::SecretBox;
use tokio::runtime::Runtime;

const NONCES: usize = 1_000_000;

#[expect(clippy::too_many_lines, reason = "the measurements in their order")]
fn main() {
    let clock = Arc::new(SystemClock::start());
    let runtime = Runtime::new().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let guard = open(directory.path(), &clock);
    let date = clock.now();
    // Opens the bucket, so that no fsync is measured.
    claim(&runtime, &guard, key(&clock), "warm", clock.now());

    println!(
        "{:>28} {:>12} {:>12} {:>12}",
        "", "µs a claim", "slowest ms", "claims/s"
    );
    for threads in [1, 2, 4] {
        let before = clock.monotonic();
        let slowest = std::thread::scope(|scope| {
            let claims = || {
                let key = key(&clock);
                let mut slowest = Duration::ZERO;
                for n in 0..NONCES / 2 / threads {
                    let nonce = format!("nonce-{n:032}");
                    let before = clock.monotonic();
                    claim(&runtime, &guard, key, &nonce, date);
                    slowest = slowest.max(clock.monotonic().saturating_sub(before));
                }
                slowest
            };
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(claims)).collect();
            let slowest = running
                .into_iter()
                .map(|thread| thread.join().expect("no panic"));
            slowest.max().unwrap_or_default()
        });
        let took = clock.monotonic().saturating_sub(before).as_secs_f64();
        let claims = count(NONCES / 2);
        println!(
            "{:>28} {:>12.2} {:>12.2} {:>12.0}",
            format!("{threads} threads"),
            took * 1e6 * count(threads) / claims,
            slowest.as_secs_f64() * 1e3,
            claims / took
        );
    }
    let status = guard.status();
    println!(
        "{} nonces, {:.1} bytes each by the tables' arithmetic",
        status.remembered,
        count(status.bytes) / count(status.remembered)
    );
    drop(guard);

    let before_memory = resident();
    let before = clock.monotonic();
    let guard = open(directory.path(), &clock);
    let took = clock.monotonic().saturating_sub(before);
    println!(
        "read back {} nonces in {:.2} s; resident memory grew by {:.1} bytes for each",
        guard.status().remembered,
        took.as_secs_f64(),
        resident()
            .zip(before_memory)
            .map_or(f64::NAN, |(after, before)| {
                count(after.saturating_sub(before)) / count(guard.status().remembered)
            })
    );
}

fn open(directory: &Path, clock: &Arc<SystemClock>) -> ReplayGuard {
    let config = ReplayGuardConfig {
        window: Duration::from_mins(5),
        bounds: Bounds {
            per_key: 4 * NONCES,
            per_organization: 4 * NONCES,
            total: 4 * NONCES,
        },
        directory: directory.to_owned(),
        hash_key: SecretBox::new(Box::new([7; 32])),
        installation_is_older: false,
    };
    let clock: Arc<dyn Clock> = Arc::<SystemClock>::clone(clock);
    ReplayGuard::open(&config, clock).expect("a guard")
}

fn key(clock: &Arc<SystemClock>) -> AccessKeyId {
    AccessKeyId::generate(clock.now(), &OsEntropy)
}

/// The limits are those of one key, so one organization suffices.
fn organization() -> OrganizationId {
    OrganizationId::from_uuid(uuid::Uuid::from_u128(1))
}

fn claim(
    runtime: &Runtime,
    guard: &ReplayGuard,
    key: AccessKeyId,
    nonce: &str,
    date: charter_domain::timestamp::Timestamp,
) {
    let claimed = runtime.block_on(guard.claim(key, organization(), nonce, date));
    claimed.expect("a fresh nonce");
}

/// Resident memory of this process in bytes (Linux).
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}
