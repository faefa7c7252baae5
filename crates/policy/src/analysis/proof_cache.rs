//! Caches whole results, so that an unchanged folder starts without the solver.
//!
//! Each file carries a MAC and is ignored if the MAC does not match: write access to the directory
//! must not be enough to forge a proof.

use std::fs;
use std::path::PathBuf;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::findings::ProofReport;
use super::group_changes;
use super::invariants::text;
use crate::solver::Solver;
use charter_authz::snapshot::Snapshot;
use charter_domain::keyed_hash::keyed_hash;
use charter_system::{atomic, private};

const MAX_BYTES: u64 = 64 * 1024;

/// Hash of the prover's sources (`build.rs`): results of another prover are not reused.
pub(super) const PROVER_REVISION: &str = env!("PROVER_REVISION");

/// Where proofs are cached, and the key that authenticates them.
#[derive(Debug, Clone)]
pub struct ProofCache {
    /// Directory of the cache; created on the first write.
    pub dir: PathBuf,
    /// Key of the MACs.
    pub key: SecretSlice<u8>,
    /// Whether the cache is only read.
    pub read_only: bool,
}

/// Only complete proofs are cached.
#[derive(Serialize, Deserialize)]
struct CachedProof {
    request_types: usize,
    policies: usize,
    invariants: Vec<String>,
    solver: String,
}

impl ProofCache {
    /// The cached result for exactly these policies and invariants, this solver and this prover.
    #[must_use]
    pub fn get(
        &self,
        snapshot: &Snapshot,
        at_start: Option<&Snapshot>,
        solver: &Solver,
    ) -> Option<ProofReport> {
        let subject = subject(snapshot, at_start, solver)?;
        let path = self.path(&subject);
        let is_small = fs::metadata(&path).is_ok_and(|found| found.len() <= MAX_BYTES);
        let text = is_small.then(|| fs::read_to_string(&path).ok())??;
        let (mac, body) = text.split_once('\n')?;
        self.mac(&subject, body)
            .verify_slice(&hex::decode(mac).ok()?)
            .ok()?;
        let kept: CachedProof = serde_json::from_str(body).ok()?;
        Some(ProofReport {
            findings: Vec::new(),
            shadows: Vec::new(),
            request_types: kept.request_types,
            policies: kept.policies,
            invariants: kept.invariants,
            questions: 0,
            solver: kept.solver,
            from_cache: true,
        })
    }

    /// Caches a result. A failed write is logged and only costs the next start its head start.
    pub fn insert(
        &self,
        snapshot: &Snapshot,
        at_start: Option<&Snapshot>,
        solver: &Solver,
        proofs: &ProofReport,
    ) {
        if self.read_only || !proofs.is_proved() || proofs.from_cache {
            return;
        }
        if let Err(error) = self.write(snapshot, at_start, solver, proofs) {
            tracing::warn!(
                dir = %self.dir.display(),
                error = &error as &dyn std::error::Error,
                "could not write the proof cache; the proofs will be repeated"
            );
        }
    }

    fn write(
        &self,
        snapshot: &Snapshot,
        at_start: Option<&Snapshot>,
        solver: &Solver,
        proofs: &ProofReport,
    ) -> std::io::Result<()> {
        let Some(subject) = subject(snapshot, at_start, solver) else {
            return Ok(());
        };
        let body = serde_json::to_string(&CachedProof {
            request_types: proofs.request_types,
            policies: proofs.policies,
            invariants: proofs.invariants.clone(),
            solver: proofs.solver.clone(),
        })?;
        let mac = self.mac(&subject, &body).finalize().into_bytes();
        let text = format!("{}\n{body}", hex::encode(mac));
        private::create_dir(&self.dir)?;
        let path = self.path(&subject);
        atomic::replace_private(&path, text.as_bytes())
    }

    fn path(&self, subject: &str) -> PathBuf {
        self.dir.join(format!("{subject}.proof"))
    }

    fn mac(&self, subject: &str, body: &str) -> Hmac<Sha256> {
        self.keyed(b"charter policy proofs 1\n")
            .chain_update(subject)
            .chain_update(b"\n")
            .chain_update(body)
    }

    pub(super) fn keyed(&self, purpose: &[u8]) -> Hmac<Sha256> {
        keyed_hash(self.key.expose_secret()).chain_update(purpose)
    }
}

/// Hash of everything that a result depends on; `None` for a solver without a digest.
fn subject(snapshot: &Snapshot, at_start: Option<&Snapshot>, solver: &Solver) -> Option<String> {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    part(env!("CARGO_PKG_VERSION"));
    part(PROVER_REVISION);
    part(solver.version());
    part(solver.digest()?);
    part(snapshot.digest());
    let promised = at_start.map_or(&[][..], Snapshot::invariants);
    for (of, invariants) in [("own", snapshot.invariants()), ("at start", promised)] {
        for invariant in invariants {
            part(of);
            part(&invariant.name);
            let policies = text(invariant);
            part(&policies.len().to_string());
            for policy in &policies {
                part(policy);
            }
        }
    }
    // If the groups cannot be read, nothing is proved and nothing is cached.
    let groups =
        at_start.map(|at_start| group_changes::groups(at_start.schema()).unwrap_or_default());
    for (action, groups) in groups.iter().flatten() {
        part("action at start");
        part(&action.to_string());
        part(&groups.len().to_string());
        for group in groups {
            part(&group.to_string());
        }
    }
    Some(hex::encode(hash.finalize()))
}
