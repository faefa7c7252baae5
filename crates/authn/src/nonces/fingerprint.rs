//! Keyed hashes: of nonces, stored instead of them, and of the journal's content, to detect damage and a changed key.

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

    /// The hash of `nonce` of `key`. 128 bits: among 4 million the probability of a collision is below 2^-84.
    pub(super) fn of(&self, key: AccessKeyId, nonce: &str) -> u128 {
        let mut hasher = self.nonces;
        // The id has a fixed length, so the parts need no separator.
        hasher.write(key.uuid().as_bytes());
        hasher.write(nonce.as_bytes());
        hasher.finish128().as_u128()
    }

    /// The hash of a text that is not a nonce.
    pub(super) fn of_text(&self, text: &str) -> u128 {
        let mut hasher = self.nonces;
        // No key has this id.
        hasher.write(&[0; 16]);
        hasher.write(text.as_bytes());
        hasher.finish128().as_u128()
    }

    /// The checksum of `bytes` in the journal of one half minute.
    pub(super) fn check(&self, id: HalfMinute, bytes: &[u8]) -> [u8; 8] {
        let mut hasher = self.journal;
        hasher.write(&id.0.to_le_bytes());
        hasher.write(bytes);
        hasher.finish().to_le_bytes()
    }
}
