//! Keyed hashes: of a nonce, which stands for it in memory and on disk, and of what the journal
//! holds, which tells damage and a changed key from what was written.

use std::hash::Hasher as _;

use secrecy::{ExposeSecret as _, SecretBox};
use siphasher::sip::SipHasher24 as SipHasher64;
use siphasher::sip128::{Hasher128 as _, SipHasher24 as SipHasher128};

use super::half_minute::HalfMinute;
use charter_domain::id::AccessKeyId;

/// SipHash-2-4 under the two halves of the replay key: one for nonces, one for the journal.
pub(super) struct Fingerprints {
    nonces: SipHasher128,
    journal: SipHasher64,
}

impl Fingerprints {
    pub(super) fn new(key: &SecretBox<[u8; 32]>) -> Self {
        let mut halves = [[0; 16]; 2];
        halves
            .as_flattened_mut()
            .copy_from_slice(key.expose_secret());
        let [nonces, journal] = &halves;
        Self {
            nonces: SipHasher128::new_with_key(nonces),
            journal: SipHasher64::new_with_key(journal),
        }
    }

    /// What stands for `nonce` of `key`: 128 bits, so that 4 million collide by chance with a
    /// probability below 2^-84, and keyed, so that nobody can look for a collision.
    pub(super) fn of(&self, key: AccessKeyId, nonce: &str) -> u128 {
        let mut hasher = self.nonces;
        // The id has a fixed length, so the two parts cannot run into each other.
        hasher.write(key.uuid().as_bytes());
        hasher.write(nonce.as_bytes());
        hasher.finish128().as_u128()
    }

    /// What stands for a text that is no nonce.
    pub(super) fn of_text(&self, text: &str) -> u128 {
        let mut hasher = self.nonces;
        // No key has this id.
        hasher.write(&[0; 16]);
        hasher.write(text.as_bytes());
        hasher.finish128().as_u128()
    }

    /// The check of `bytes` in the journal of one half minute.
    pub(super) fn check(&self, id: HalfMinute, bytes: &[u8]) -> [u8; 8] {
        let mut hasher = self.journal;
        hasher.write(&id.0.to_le_bytes());
        hasher.write(bytes);
        hasher.finish().to_le_bytes()
    }
}
