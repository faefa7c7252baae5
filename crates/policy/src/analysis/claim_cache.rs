//! Caches proved claims one by one, so that an edit costs only what it changes and a proof that
//! timed out resumes where it stopped. A claim's key covers everything that the claim depends on.
//!
//! The file carries a MAC and is ignored if the MAC does not match: write access to the file must
//! not be enough to forge a proof.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::proof_cache::{PROVER_REVISION, ProofCache};
use crate::solver::Solver;
use charter_authz::snapshot::Snapshot;
use charter_system::{atomic, private};

const NAME: &str = "claims";
/// Larger files are ignored.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// A claim that was not asked about in this many consecutive runs is dropped.
const MAX_AGE: u8 = 32;
/// How many groups of forbids are kept for one claim that holds given those forbids.
const MAX_GROUPS: usize = 4;
const KEY_BYTES: usize = 16;

/// A truncated SHA-256 that identifies a claim or a policy's text.
pub(super) type Key = [u8; KEY_BYTES];

/// Claims that are known to hold.
pub(super) struct ClaimCache<'a> {
    cache: Option<&'a ProofCache>,
    /// Hash of what every claim depends on: prover, solver and schema.
    base: Key,
    entries: Mutex<HashMap<Key, ClaimEntry>>,
}

struct ClaimEntry {
    value: Vec<u8>,
    /// Runs since the claim was last asked about.
    age: u8,
}

impl<'a> ClaimCache<'a> {
    /// Loads the cache file, if a cache is configured and the solver has a digest.
    pub(super) fn load(
        cache: Option<&'a ProofCache>,
        snapshot: &Snapshot,
        solver: &Solver,
    ) -> Self {
        let digest = solver.digest();
        let cache = cache.filter(|_| digest.is_some());
        let base = hash(&[
            env!("CARGO_PKG_VERSION"),
            PROVER_REVISION,
            solver.version(),
            digest.unwrap_or_default(),
            snapshot.schema_digest(),
        ]);
        Self {
            cache,
            base,
            entries: Mutex::new(cache.and_then(read).unwrap_or_default()),
        }
    }

    /// Key of a claim about these parts.
    pub(super) fn key(&self, claim: &str, parts: &[Key]) -> Key {
        let mut hash = Sha256::new();
        hash.update(self.base);
        hash.update((claim.len() as u64).to_be_bytes());
        hash.update(claim.as_bytes());
        for part in parts {
            hash.update(part);
        }
        shortened(&hash.finalize())
    }

    /// The cached value of a claim.
    pub(super) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(key)?;
        entry.age = 0;
        Some(entry.value.clone())
    }

    pub(super) fn insert(&self, key: Key, value: Vec<u8>) {
        self.entries
            .lock()
            .insert(key, ClaimEntry { value, age: 0 });
    }

    /// Whether a cached proof applies: it was made with a subset of these forbids, and further
    /// forbids only remove permissions.
    pub(super) fn holds_given(&self, key: &Key, forbids: &BTreeSet<Key>) -> bool {
        let groups = self.get(key).unwrap_or_default();
        groups.as_chunks::<KEY_BYTES>().0.iter().any(|group| {
            let members = self.get(group).unwrap_or_default();
            let (members, rest) = members.as_chunks::<KEY_BYTES>();
            // An empty group is stored as its key alone.
            rest.is_empty()
                && (!members.is_empty() || *group == self.group_key(&BTreeSet::new()))
                && members.iter().all(|member| forbids.contains(member))
        })
    }

    /// Records that a claim holds given these forbids.
    pub(super) fn put_given(&self, key: Key, forbids: &BTreeSet<Key>) {
        let group = self.group_key(forbids);
        self.insert(group, forbids.iter().flatten().copied().collect());
        let mut groups = self.get(&key).unwrap_or_default();
        if !groups.as_chunks::<KEY_BYTES>().0.contains(&group) {
            groups.extend(group);
            let over = groups.len().saturating_sub(MAX_GROUPS * KEY_BYTES);
            groups.drain(..over);
            self.insert(key, groups);
        }
    }

    fn group_key(&self, forbids: &BTreeSet<Key>) -> Key {
        let forbids: Vec<Key> = forbids.iter().copied().collect();
        self.key("group of forbids", &forbids)
    }

    /// Writes the cache. A failed write is logged and only costs the next run its head start.
    /// `is_complete` says that this run asked everything it had to, so that unused claims may be
    /// dropped.
    pub(super) fn save(&self, is_complete: bool) {
        let Some(cache) = self.cache.filter(|cache| !cache.read_only) else {
            return;
        };
        let mut body = String::new();
        let mut entries = self.entries.lock();
        if is_complete {
            entries.retain(|_, entry| entry.age <= MAX_AGE);
        }
        for (key, entry) in &*entries {
            let value = hex::encode(&entry.value);
            // Writing to a string cannot fail.
            let _ = writeln!(body, "{} {} {value}", entry.age, hex::encode(key));
        }
        drop(entries);
        if let Err(error) = write(cache, &body) {
            tracing::warn!(
                dir = %cache.dir.display(),
                error = &error as &dyn std::error::Error,
                "could not write the proof cache; the proofs will be repeated"
            );
        }
    }
}

/// Hash of a sequence of texts.
pub(super) fn hash(parts: &[&str]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    shortened(&hash.finalize())
}

fn shortened(hash: &[u8]) -> Key {
    let mut key = Key::default();
    key.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    key
}

fn path(cache: &ProofCache) -> PathBuf {
    cache.dir.join(NAME)
}

fn mac(cache: &ProofCache, body: &str) -> Hmac<Sha256> {
    cache.keyed(b"charter policy claims 1\n").chain_update(body)
}

/// `None` if there is no file or its MAC is wrong. Every entry ages by one run.
fn read(cache: &ProofCache) -> Option<HashMap<Key, ClaimEntry>> {
    let path = path(cache);
    let is_small = fs::metadata(&path).is_ok_and(|found| found.len() <= MAX_BYTES);
    let text = is_small.then(|| fs::read_to_string(&path).ok())??;
    let (sealed, body) = text.split_once('\n')?;
    mac(cache, body)
        .verify_slice(&hex::decode(sealed).ok()?)
        .ok()?;
    let entry = |line: &str| {
        let mut fields = line.split(' ');
        let age: u8 = fields.next()?.parse().ok()?;
        let key = shortened(&hex::decode(fields.next()?).ok()?);
        let value = hex::decode(fields.next()?).ok()?;
        let age = age.saturating_add(1);
        Some((key, ClaimEntry { value, age }))
    };
    body.lines().map(entry).collect()
}

fn write(cache: &ProofCache, body: &str) -> std::io::Result<()> {
    private::create_dir(&cache.dir)?;
    let sealed = hex::encode(mac(cache, body).finalize().into_bytes());
    let text = format!("{sealed}\n{body}");
    atomic::replace_private(&path(cache), text.as_bytes())
}
