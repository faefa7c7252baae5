//! What was proved before, claim by claim, so that an edit costs what it changes and a proof that ran
//! out of time goes on where it stopped. A claim is named by all that it depends on.
//!
//! Whoever can write the file must not be able to prove by writing: it carries a MAC, and one whose
//! MAC is wrong is not there.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::cache::{PROVER_REVISION, ProofCache};
use crate::solver::Solver;
use charter_authz::snapshot::Snapshot;
use charter_system::private;

/// The file's name.
const NAME: &str = "claims";
/// What is larger is not read.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// A claim that so many runs in a row did not ask about is forgotten.
const MAX_AGE: u8 = 32;
/// So many different groups of forbids are kept for a claim that holds because of them.
const MAX_GROUPS: usize = 4;
const KEY_BYTES: usize = 16;

/// Names a claim, or a policy's text.
pub(super) type Key = [u8; KEY_BYTES];

/// The claims that are known to hold.
pub(super) struct Known<'a> {
    cache: Option<&'a ProofCache>,
    /// What every claim depends on: prover, solver, schema.
    base: Key,
    entries: Mutex<HashMap<Key, Entry>>,
}

struct Entry {
    value: Vec<u8>,
    /// Runs since it was asked about.
    age: u8,
}

impl<'a> Known<'a> {
    /// What is kept in the cache, if there is one.
    pub(super) fn load(
        cache: Option<&'a ProofCache>,
        snapshot: &Snapshot,
        solver: &Solver,
    ) -> Self {
        let base = hash(&[
            env!("CARGO_PKG_VERSION"),
            PROVER_REVISION,
            solver.version(),
            solver.digest().unwrap_or_default(),
            snapshot.schema_digest(),
        ]);
        Self {
            cache,
            base,
            entries: Mutex::new(cache.and_then(read).unwrap_or_default()),
        }
    }

    /// The name of a claim about these parts.
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

    /// What is known of a claim.
    pub(super) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(key)?;
        entry.age = 0;
        Some(entry.value.clone())
    }

    /// Keeps what was found out.
    pub(super) fn put(&self, key: Key, value: Vec<u8>) {
        self.entries.lock().insert(key, Entry { value, age: 0 });
    }

    /// Whether a claim holds because of forbids that are all still there: more of them only take
    /// away.
    pub(super) fn holds_because_of(&self, key: &Key, forbids: &BTreeSet<Key>) -> bool {
        let groups = self.get(key).unwrap_or_default();
        groups.as_chunks::<KEY_BYTES>().0.iter().any(|group| {
            let members = self.get(group).unwrap_or_default();
            let (members, rest) = members.as_chunks::<KEY_BYTES>();
            // An empty group is kept as its name alone.
            rest.is_empty()
                && (!members.is_empty() || *group == self.group_key(&BTreeSet::new()))
                && members.iter().all(|member| forbids.contains(member))
        })
    }

    /// Keeps that a claim holds where these forbids are.
    pub(super) fn put_because_of(&self, key: Key, forbids: &BTreeSet<Key>) {
        let group = self.group_key(forbids);
        self.put(group, forbids.iter().flatten().copied().collect());
        let mut groups = self.get(&key).unwrap_or_default();
        if !groups.as_chunks::<KEY_BYTES>().0.contains(&group) {
            groups.extend(group);
            let over = groups.len().saturating_sub(MAX_GROUPS * KEY_BYTES);
            groups.drain(..over);
            self.put(key, groups);
        }
    }

    fn group_key(&self, forbids: &BTreeSet<Key>) -> Key {
        let forbids: Vec<Key> = forbids.iter().copied().collect();
        self.key("group of forbids", &forbids)
    }

    /// Writes all of it. A failure costs the next run its head start, no more. `is_whole` if this
    /// run asked all that it had to ask.
    pub(super) fn save(&self, is_whole: bool) {
        let Some(cache) = self.cache.filter(|cache| !cache.read_only) else {
            return;
        };
        let mut body = String::new();
        let mut entries = self.entries.lock();
        if is_whole {
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
                "what was proved of the policies could not be kept, it will be proved again"
            );
        }
    }
}

/// Names a text.
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

/// `None` if there is no file, or it is not what was written. All of it is one run older.
fn read(cache: &ProofCache) -> Option<HashMap<Key, Entry>> {
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
        Some((key, Entry { value, age }))
    };
    body.lines().map(entry).collect()
}

fn write(cache: &ProofCache, body: &str) -> std::io::Result<()> {
    private::create_dir(&cache.dir)?;
    let unfinished = cache.dir.join(format!("{NAME}.new"));
    let sealed = hex::encode(mac(cache, body).finalize().into_bytes());
    let text = format!("{sealed}\n{body}");
    private::replace(&path(cache), &unfinished, text.as_bytes())
}
