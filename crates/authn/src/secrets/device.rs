//! The device cookie: marks a browser in which the user signed in before (contract section 5).
//!
//! It names the user, the browser and the password hash, under a MAC. It does not authenticate: it only makes its
//! holder's guesses count separately. A new password invalidates it. It is not stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

use charter_domain::entropy::Entropy;
use charter_domain::id::UserId;
use charter_domain::keyed_hash::keyed_hash;

/// Separates these MACs from others under the same key.
const CONTEXT: &[u8] = b"charter device cookie 1\0";
const UUID_BYTES: usize = 16;
const PASSWORD_BYTES: usize = 8;
const CLAIM_BYTES: usize = UUID_BYTES + UUID_BYTES + PASSWORD_BYTES;
const MAC_BYTES: usize = 32;
/// Of base64url without padding.
const CHARACTERS: usize = (CLAIM_BYTES + MAC_BYTES) / 3 * 4;

/// A browser's random id.
pub type DeviceId = [u8; UUID_BYTES];

/// The content of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    user: [u8; UUID_BYTES],
    id: DeviceId,
    /// A prefix of a hash of the stored password hash, salt included: it identifies the password.
    password: [u8; PASSWORD_BYTES],
}

/// Keys of the cookies: the first for new ones, all for old ones.
pub struct DeviceKeys(Vec<SecretBox<[u8; 32]>>);

impl Device {
    /// A new browser.
    #[must_use]
    pub fn generate(user: UserId, password_hash: &str, entropy: &dyn Entropy) -> Self {
        let mut id = [0; UUID_BYTES];
        entropy.fill(&mut id);
        Self::of(user, id, password_hash)
    }

    /// The same browser, under another password.
    #[must_use]
    pub fn renewed(self, user: UserId, password_hash: &str) -> Self {
        Self::of(user, self.id, password_hash)
    }

    fn of(user: UserId, id: DeviceId, password_hash: &str) -> Self {
        let digest = Sha256::digest(password_hash.as_bytes());
        #[expect(clippy::expect_used, reason = "a digest has 32 bytes")]
        let password = *digest.first_chunk().expect("its first bytes");
        Self {
            user: user.uuid().into_bytes(),
            id,
            password,
        }
    }

    #[must_use]
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// Whether it was made for that user under the current password.
    #[must_use]
    pub fn is_of(&self, user: UserId, password_hash: &str) -> bool {
        *self == Self::of(user, self.id, password_hash)
    }

    fn claim(&self) -> Vec<u8> {
        [&self.user[..], &self.id, &self.password].concat()
    }

    fn from_claim(claim: &[u8]) -> Option<Self> {
        let (user, rest) = claim.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        Some(Self {
            user: *user,
            id: *id,
            password: rest.try_into().ok()?,
        })
    }
}

impl DeviceKeys {
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let keep = |key| SecretBox::new(Box::new(key));
        Self(keys.into_iter().map(keep).collect())
    }

    /// A cookie's value; `None` only if there is no key.
    #[must_use]
    pub fn write(&self, device: &Device) -> Option<SecretString> {
        let claim = device.claim();
        let mac = mac(self.0.first()?, &claim).finalize().into_bytes();
        let value = URL_SAFE_NO_PAD.encode([&claim[..], &mac].concat());
        Some(SecretString::from(value))
    }

    /// The content of a presented value; `None` if no key authenticates it.
    #[must_use]
    pub fn read(&self, value: &str) -> Option<Device> {
        if value.len() != CHARACTERS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (claim, presented) = bytes.split_at_checked(CLAIM_BYTES)?;
        // In constant time.
        let is_ours = |key| mac(key, claim).verify_slice(presented).is_ok();
        let is_ours = self.0.iter().any(is_ours);
        is_ours.then(|| Device::from_claim(claim)).flatten()
    }
}

fn mac(key: &SecretBox<[u8; 32]>, claim: &[u8]) -> Hmac<Sha256> {
    let mac = keyed_hash(key.expose_secret());
    mac.chain_update(CONTEXT).chain_update(claim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use charter_domain::entropy::OsEntropy;

    fn user(n: u128) -> UserId {
        UserId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn a_cookie_is_good_for_one_user_and_one_password() {
        let keys = DeviceKeys::new([[1; 32]]);
        let device = Device::generate(user(1), "hash", &OsEntropy);
        let value = keys.write(&device).expect("a key");
        let read = keys.read(value.expose_secret()).expect("ours");
        assert_eq!(read, device);
        assert!(read.is_of(user(1), "hash"));
        assert!(!read.is_of(user(2), "hash"));
        assert!(!read.is_of(user(1), "another hash"));
        let renewed = read.renewed(user(1), "another hash");
        assert!(renewed.is_of(user(1), "another hash"));
        assert_eq!(renewed.id(), device.id());
        let other = Device::generate(user(1), "hash", &OsEntropy);
        assert_ne!(other.id(), device.id());
    }

    #[test]
    fn a_device_cookie_cannot_be_made_without_a_key() {
        let keys = DeviceKeys::new([[1; 32]]);
        let device = Device::generate(user(1), "hash", &OsEntropy);
        let value = keys.write(&device).expect("a key");
        let value = value.expose_secret();
        assert_eq!(value.len(), CHARACTERS);
        let rotated = DeviceKeys::new([[2; 32], [1; 32]]);
        assert_eq!(rotated.read(value), Some(device));
        assert_eq!(DeviceKeys::new([[2; 32]]).read(value), None);
        assert!(DeviceKeys::new([]).write(&device).is_none());
        for at in 0..value.len() {
            let mut forged = value.as_bytes().to_vec();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert_eq!(keys.read(&forged), None, "{forged}");
        }
        for other in ["", "nonsense", &value[1..], &format!("{value}A")] {
            assert_eq!(keys.read(other), None, "{other}");
        }
    }
}
