//! Cursors of lists and searches: sealed positions.
//!
//! A position in a log reveals how much all organizations write, so clients cannot read it. They cannot change it or
//! use it for another list, organization or filter either, because those are associated data. Sealed with AES-256-GCM
//! under a key derived from a sealing key, so that any number of cursors does not wear out that key.

use std::sync::Arc;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use zeroize::Zeroizing;

use super::sealer::SealError;
use charter_domain::entropy::Entropy;
use charter_domain::keyed_hash::keyed_hash;

/// Separates these keys from others derived from the sealing keys.
const CONTEXT: &[u8] = b"charter list cursor 1\0";
const NONCE_BYTES: usize = 12;
const NUMBER_BYTES: usize = 8;

/// A position in a list.
pub trait CursorPosition: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    /// `None` if it is another list's.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl<const N: usize> CursorPosition for [u64; N] {
    fn to_bytes(&self) -> Vec<u8> {
        self.map(u64::to_be_bytes).concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<NUMBER_BYTES>() else {
            return None;
        };
        let numbers: Vec<u64> = numbers.iter().copied().map(u64::from_be_bytes).collect();
        numbers.try_into().ok()
    }
}

/// Seals with the key derived from its first key and opens with any.
pub struct CursorSealer {
    keys: Vec<Aes256Gcm>,
    entropy: Arc<dyn Entropy>,
}

impl CursorSealer {
    /// Takes the sealing keys, the first one first.
    pub fn new<'a>(
        keys: impl IntoIterator<Item = &'a [u8; 32]>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let keys = keys.into_iter().map(derived).collect();
        Self { keys, entropy }
    }

    /// A cursor for a position, valid only with the same `bound_to`.
    ///
    /// # Errors
    ///
    /// [`SealError::NoKey`] if there is none.
    pub fn seal(
        &self,
        position: &impl CursorPosition,
        bound_to: &[u8],
    ) -> Result<String, SealError> {
        let key = self.keys.first().ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let payload = Payload {
            msg: &position.to_bytes(),
            aad: bound_to,
        };
        let sealed = key
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| SealError::Broken)?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The position; `None` if the cursor was not sealed here with the same `bound_to`.
    #[must_use]
    pub fn open<P: CursorPosition>(&self, cursor: &str, bound_to: &[u8]) -> Option<P> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let open = |key: &Aes256Gcm| {
            let payload = Payload {
                msg: sealed,
                aad: bound_to,
            };
            key.decrypt(&Nonce::from(*nonce), payload).ok()
        };
        P::from_bytes(&self.keys.iter().find_map(open)?)
    }
}

fn derived(key: &[u8; 32]) -> Aes256Gcm {
    let mac = keyed_hash(key).chain_update(CONTEXT);
    let derived = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
    Aes256Gcm::new((&*derived).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use charter_domain::entropy::OsEntropy;

    #[derive(Debug, PartialEq, Eq)]
    struct Text(String);

    impl CursorPosition for Text {
        fn to_bytes(&self) -> Vec<u8> {
            self.0.as_bytes().to_vec()
        }

        fn from_bytes(bytes: &[u8]) -> Option<Self> {
            String::from_utf8(bytes.to_vec()).ok().map(Self)
        }
    }

    fn sealer(keys: &[[u8; 32]]) -> CursorSealer {
        CursorSealer::new(keys, Arc::new(OsEntropy))
    }

    #[test]
    fn a_cursor_opens_for_what_it_was_made_for_and_nothing_else() {
        let (old, new) = ([1; 32], [2; 32]);
        let cursor = sealer(&[old])
            .seal(&[7, u64::MAX], b"acme")
            .expect("sealed");
        assert_eq!(sealer(&[old]).open(&cursor, b"acme"), Some([7, u64::MAX]));
        // Sealing keys are rotated: cursors live as long as the key is there.
        assert_eq!(
            sealer(&[new, old]).open(&cursor, b"acme"),
            Some([7, u64::MAX])
        );
        assert_eq!(sealer(&[new]).open::<[u64; 2]>(&cursor, b"acme"), None);
        assert_eq!(sealer(&[old]).open::<[u64; 2]>(&cursor, b"globex"), None);
        assert!(sealer(&[]).seal(&[0, 0], b"").is_err());
    }

    #[test]
    fn a_position_is_read_as_what_it_was() {
        let sealer = sealer(&[[1; 32]]);
        for text in ["", "User.user-01", "é"] {
            let cursor = sealer.seal(&Text(text.to_owned()), b"").expect("sealed");
            assert_eq!(sealer.open(&cursor, b""), Some(Text(text.to_owned())));
            assert_eq!(sealer.open::<[u64; 2]>(&cursor, b""), None);
        }
    }

    #[test]
    fn a_changed_cursor_does_not_open() {
        let sealer = sealer(&[[1; 32]]);
        let cursor = sealer.seal(&[1, 2], b"").expect("sealed");
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(sealer.open::<[u64; 2]>(&changed, b""), None, "{at}");
        }
        for other in [
            "",
            "AAAA",
            &cursor[1..],
            &format!("{cursor}AAAA"),
            "é",
            "\0",
        ] {
            assert_eq!(sealer.open::<[u64; 2]>(other, b""), None, "{other}");
        }
    }
}
