//! Opaque tokens: 32 random bytes in base64url, stored as SHA-256 only.
//!
//! The successor of a refresh token is derived from it under a server key (contract section 5): the same token has the
//! same successor, and only hashes are stored.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use charter_domain::entropy::Entropy;
use charter_domain::keyed_hash::keyed_hash;
use charter_domain::session::TokenHash;

/// How long a refresh token is valid, from each use on (contract section 5).
pub(crate) const REFRESH_LIFETIME: Duration = Duration::from_hours(30 * 24);

const BYTES: usize = 32;
/// Of base64url without padding.
const CHARACTERS: usize = 43;

#[derive(Debug, Clone)]
pub struct OpaqueToken(SecretString);

impl OpaqueToken {
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        entropy.fill(&mut *bytes);
        Self::from_bytes(&*bytes)
    }

    /// Parses a presented token; `None` if it is malformed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_ours = text.len() == CHARACTERS
            && URL_SAFE_NO_PAD
                .decode(text)
                .is_ok_and(|bytes| Zeroizing::new(bytes).len() == BYTES);
        is_ours.then(|| Self(SecretString::from(text)))
    }

    /// The hash that is stored.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        Sha256::digest(self.0.expose_secret().as_bytes()).into()
    }

    /// Its text, for the client or an email.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
        Self(SecretString::from(text.as_str()))
    }
}

/// Keys that derive successors: the first for new ones, all for earlier ones.
pub struct SuccessorKeys(Vec<(String, SecretBox<[u8; 32]>)>);

impl SuccessorKeys {
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (String, [u8; 32])>) -> Self {
        let keep = |(id, key)| (id, SecretBox::new(Box::new(key)));
        Self(keys.into_iter().map(keep).collect())
    }

    /// The successor of a token that is used for the first time, and the key it was derived with.
    /// `None` only if there is no key.
    #[must_use]
    pub fn next(&self, token: &OpaqueToken) -> Option<(OpaqueToken, &str)> {
        let (id, key) = self.0.first()?;
        Some((derive(key.expose_secret(), token), id))
    }

    /// The successor of a spent token; `None` if the key is not configured any more.
    #[must_use]
    pub fn again(&self, token: &OpaqueToken, key_id: &str) -> Option<OpaqueToken> {
        let (_, key) = self.0.iter().find(|(id, _)| id == key_id)?;
        Some(derive(key.expose_secret(), token))
    }
}

fn derive(key: &[u8; 32], token: &OpaqueToken) -> OpaqueToken {
    let mac = keyed_hash(key).chain_update(token.expose());
    OpaqueToken::from_bytes(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use charter_domain::entropy::OsEntropy;

    #[test]
    fn a_token_has_one_form() {
        let token = OpaqueToken::generate(&OsEntropy);
        let text = token.expose();
        assert_eq!(text.len(), CHARACTERS);
        assert!(OpaqueToken::parse(text).is_some());
        let (head, _) = text.split_at(CHARACTERS - 1);
        // The last character carries four bits; a fifth and sixth would be a second spelling.
        for other in [
            format!("{text}="),
            format!(" {text}"),
            head.to_owned(),
            format!("{head}_"),
            String::new(),
        ] {
            assert!(OpaqueToken::parse(&other).is_none(), "`{other}` was read");
        }
        assert!(!format!("{token:?}").contains(text));
    }

    #[test]
    fn a_successor_is_the_same_again_and_depends_on_the_key() {
        let keys = |ids: &[&str]| {
            SuccessorKeys::new(
                ids.iter()
                    .map(|id| ((*id).to_owned(), [id.as_bytes()[0]; 32])),
            )
        };
        let token = OpaqueToken::generate(&OsEntropy);
        let old = keys(&["a"]);
        let (next, id) = old.next(&token).expect("a key");
        assert_eq!(id, "a");
        assert_ne!(next.hash(), token.hash());
        let rotated = keys(&["b", "a"]);
        let again = rotated.again(&token, "a").expect("still configured");
        assert_eq!(again.hash(), next.hash());
        assert_ne!(rotated.next(&token).expect("a key").0.hash(), next.hash());
        assert!(keys(&["b"]).again(&token, "a").is_none());
        assert!(keys(&[]).next(&token).is_none());
    }
}
