//! A nonce is accepted once: not twice in a crowd, not after a restart, not after the clock was
//! moved, not when the disk fails (contract section 3).

mod anonymous_limits;
mod checked;
mod claims;
mod clock;
mod lease;
mod missed;
mod model;
mod processes;
mod rates;
mod recovery;
mod redis;
mod restored;
mod rules;
mod sentinel;
mod shared;
mod shared_faults;
mod tls;
mod wrong_clock;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use charter_authn::nonces::{
    Bounds, ClaimError, NonceStore, OpenError, ReplayGuard, ReplayGuardConfig,
};
use charter_domain::clock::Clock;
use charter_domain::entropy::{Entropy, OsEntropy};
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_domain::timestamp::{self, Timestamp};
use parking_lot::Mutex;
use secrecy::SecretBox;

pub(crate) const WINDOW: Duration = Duration::from_mins(5);
const HOUR: Duration = Duration::from_hours(1);

/// Both clocks, moved by hand.
pub(crate) struct HandClock(Mutex<(Timestamp, Duration)>);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Self::at(timestamp::parse("2025-09-30T12:00:00Z").expect("a date"))
    }

    pub(crate) fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new((start, Duration::ZERO))))
    }

    /// Time passes.
    pub(crate) fn pass(&self, time: Duration) {
        let mut clocks = self.0.lock();
        clocks.0 += time;
        clocks.1 += time;
    }

    /// Somebody sets the wall clock ahead.
    pub(crate) fn set_ahead(&self, step: Duration) {
        self.0.lock().0 += step;
    }

    /// Somebody sets the wall clock back.
    pub(crate) fn set_back(&self, step: Duration) {
        self.0.lock().0 -= step;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        self.0.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().1
    }
}

pub(crate) fn config(directory: &Path) -> ReplayGuardConfig {
    ReplayGuardConfig {
        window: WINDOW,
        bounds: Bounds {
            per_key: 1_000_000,
            per_organization: 4_000_000,
            total: 4_000_000,
        },
        directory: directory.to_owned(),
        hash_key: SecretBox::new(Box::new([7; 32])),
        installation_is_older: false,
    }
}

pub(crate) fn key(clock: &HandClock) -> AccessKeyId {
    AccessKeyId::generate(clock.now(), &OsEntropy)
}

pub(crate) fn organization(clock: &HandClock) -> OrganizationId {
    OrganizationId::generate(clock.now(), &OsEntropy)
}

/// Makes it look as if the machine had gone down since.
pub(crate) fn boot_again(directory: &Path) {
    let path = directory.join("state.json");
    let text = std::fs::read_to_string(&path).expect("a state");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("json");
    let boot_id = &mut state["state"]["boot_id"];
    assert!(boot_id.is_string(), "this machine tells its boots");
    *boot_id = "another".into();
    std::fs::write(&path, state.to_string()).expect("written");
}

/// The journals' paths, oldest first.
fn journals(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "journal"));
    paths.sort();
    paths
}

/// A guard in a directory of its own, with one key.
struct Bench {
    clock: Arc<HandClock>,
    directory: tempfile::TempDir,
    key: AccessKeyId,
    organization: OrganizationId,
    guard: Option<ReplayGuard>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(adjust: impl FnOnce(&mut ReplayGuardConfig)) -> Self {
        let clock = HandClock::new();
        let directory = tempfile::tempdir().expect("a directory");
        let mut bench = Self {
            key: key(&clock),
            organization: organization(&clock),
            clock,
            directory,
            guard: None,
        };
        bench.open(adjust).expect("a guard");
        bench
    }

    fn open(&mut self, adjust: impl FnOnce(&mut ReplayGuardConfig)) -> Result<(), OpenError> {
        let mut config = config(self.directory.path());
        adjust(&mut config);
        let clock: Arc<dyn Clock> = self.clock.clone();
        self.guard = Some(ReplayGuard::open(&config, clock)?);
        Ok(())
    }

    /// The process dies, without a word, and starts again.
    fn restart(&mut self) {
        self.guard = None;
        self.open(|_| {}).expect("a guard");
    }

    fn guard(&self) -> &ReplayGuard {
        self.guard.as_ref().expect("it is open")
    }

    async fn claim(&self, nonce: &str, date: Timestamp) -> Result<(), ClaimError> {
        self.claim_by(self.key, nonce, date).await
    }

    /// With another key of the same organization.
    async fn claim_by(
        &self,
        key: AccessKeyId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), ClaimError> {
        let nonces: &dyn NonceStore = self.guard();
        nonces.claim(key, self.organization, nonce, date).await
    }

    /// Time passes in small steps, with maintenance as in running.
    fn run_for(&self, time: Duration) {
        for _ in 0..time.as_secs() / 5 {
            self.clock.pass(Duration::from_secs(5));
            self.guard().maintain();
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn journals(&self) -> Vec<PathBuf> {
        journals(self.directory.path())
    }
}
