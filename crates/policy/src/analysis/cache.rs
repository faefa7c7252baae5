//! Remembers what was proved, so that an unchanged folder starts without the solver. Whoever can
//! write the files must not be able to prove by writing: each has a MAC, and one whose MAC is
//! wrong is not there.

use std::fs;
use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::findings::Proofs;
use super::group_changes;
use super::invariants::text;
use crate::solver::Solver;
use charter_authz::snapshot::Snapshot;
use charter_system::private;

const MAX_BYTES: u64 = 64 * 1024;

/// Names the prover by its sources (`build.rs`): what another one found is not what this one would.
pub(super) const PROVER_REVISION: &str = env!("PROVER_REVISION");

/// Where proofs are kept, and the key that vouches for them.
#[derive(Debug, Clone)]
pub struct ProofCache {
    /// The directory; it is made when something is to be kept.
    pub dir: PathBuf,
    /// The key of the MAC.
    pub key: SecretSlice<u8>,
    /// Whether it is only read.
    pub read_only: bool,
}

/// What is kept of proofs: only that all is proved is ever kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    request_types: usize,
    policies: usize,
    invariants: Vec<String>,
    solver: String,
}

impl ProofCache {
    /// What was proved of exactly these policies and invariants, by this solver and this program.
    #[must_use]
    pub fn get(
        &self,
        snapshot: &Snapshot,
        at_start: Option<&Snapshot>,
        solver: &Solver,
    ) -> Option<Proofs> {
        let subject = subject(snapshot, at_start, solver);
        let path = self.path(&subject);
        let is_small = fs::metadata(&path).is_ok_and(|found| found.len() <= MAX_BYTES);
        let text = is_small.then(|| fs::read_to_string(&path).ok())??;
        let (mac, body) = text.split_once('\n')?;
        self.mac(&subject, body)
            .verify_slice(&hex::decode(mac).ok()?)
            .ok()?;
        let kept: Kept = serde_json::from_str(body).ok()?;
        Some(Proofs {
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

    /// Keeps what was proved. A failure to write costs the next start its proofs, no more.
    pub fn put(
        &self,
        snapshot: &Snapshot,
        at_start: Option<&Snapshot>,
        solver: &Solver,
        proofs: &Proofs,
    ) {
        if self.read_only || !proofs.is_proved() || proofs.from_cache {
            return;
        }
        if let Err(error) = self.write(snapshot, at_start, solver, proofs) {
            tracing::warn!(
                dir = %self.dir.display(),
                error = &error as &dyn std::error::Error,
                "what was proved of the policies could not be kept, it will be proved again"
            );
        }
    }

    fn write(
        &self,
        snapshot: &Snapshot,
        at_start: Option<&Snapshot>,
        solver: &Solver,
        proofs: &Proofs,
    ) -> std::io::Result<()> {
        let subject = subject(snapshot, at_start, solver);
        let body = serde_json::to_string(&Kept {
            request_types: proofs.request_types,
            policies: proofs.policies,
            invariants: proofs.invariants.clone(),
            solver: proofs.solver.clone(),
        })?;
        let mac = self.mac(&subject, &body).finalize().into_bytes();
        let text = format!("{}\n{body}", hex::encode(mac));
        private::create_dir(&self.dir)?;
        let path = self.path(&subject);
        private::replace(&path, &path.with_extension("new"), text.as_bytes())
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

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub(super) fn keyed(&self, purpose: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret());
        mac.expect("a key of any length").chain_update(purpose)
    }
}

/// Names all that a proof depends on.
fn subject(snapshot: &Snapshot, at_start: Option<&Snapshot>, solver: &Solver) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    part(env!("CARGO_PKG_VERSION"));
    part(PROVER_REVISION);
    part(solver.version());
    part(solver.digest().unwrap_or_default());
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
    // That there are none is as good as not known: then nothing is proved, and nothing kept.
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
    hex::encode(hash.finalize())
}
