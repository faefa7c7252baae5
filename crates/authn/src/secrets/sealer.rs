//! Secrets of access keys: generated, shown once, sealed at rest. Also seals queued emails.
//!
//! A secret is sealed with AES-256-GCM under a key-encryption key from the settings. The key's id,
//! its organization and the format's version are associated data, so that a sealed secret moved
//! to another row does not open.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crc::{CRC_32_ISO_HDLC, Crc};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use charter_domain::access_key::SealedSecret;
use charter_domain::code::{Code, random_text};
use charter_domain::entropy::Entropy;
use charter_domain::id::{AccessKeyId, JobId, OrganizationId};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;

/// Sealing or opening failed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("no sealing key is configured, add one to `keys.sealing`")]
    NoKey,
    #[error("the sealing key `{0}` is not configured, put it back into `keys.sealing`")]
    UnknownKey(String),
    /// Tampered with, moved from another row, or of an unknown version.
    #[error("a sealed secret does not open")]
    Broken,
}

/// The row a secret is sealed for.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// The access key's row.
    pub key: AccessKeyId,
    /// Its tenant.
    pub organization: OrganizationId,
}

impl Binding {
    fn associated_data(self) -> Vec<u8> {
        let mut data = b"charter access key".to_vec();
        data.push(VERSION);
        data.extend_from_slice(self.key.uuid().as_bytes());
        data.extend_from_slice(self.organization.uuid().as_bytes());
        data
    }
}

/// Seals with its first key and opens with any.
pub struct Sealer {
    keys: Vec<(String, Aes256Gcm)>,
}

impl Sealer {
    /// `keys` have ids; the first one seals.
    ///
    /// # Errors
    ///
    /// [`SealError::NoKey`] for an empty list.
    pub fn new(keys: impl IntoIterator<Item = (String, [u8; 32])>) -> Result<Self, SealError> {
        let keys: Vec<_> = keys
            .into_iter()
            .map(|(id, bytes)| {
                let bytes = Zeroizing::new(bytes);
                (id, Aes256Gcm::new((&*bytes).into()))
            })
            .collect();
        if keys.is_empty() {
            Err(SealError::NoKey)
        } else {
            Ok(Self { keys })
        }
    }

    /// Seals a secret for one row.
    ///
    /// # Errors
    ///
    /// [`SealError::Broken`] if the cipher refuses, which it does only for absurd lengths.
    pub fn seal(
        &self,
        secret: &SecretString,
        binding: Binding,
        entropy: &dyn Entropy,
    ) -> Result<SealedSecret, SealError> {
        let secret = secret.expose_secret().as_bytes();
        self.encrypt(secret, &binding.associated_data(), entropy)
    }

    /// Opens a secret that was sealed for the row.
    ///
    /// # Errors
    ///
    /// [`SealError`]
    pub fn open(&self, sealed: &SealedSecret, binding: Binding) -> Result<SecretString, SealError> {
        let opened = self.decrypt(sealed, &binding.associated_data())?;
        let text = std::str::from_utf8(&opened).map_err(|_| SealError::Broken)?;
        Ok(SecretString::from(text))
    }

    /// Seals an email, whose links are secret, for one row of the outbox.
    ///
    /// # Errors
    ///
    /// As [`Self::seal`].
    pub fn seal_mail(
        &self,
        content: &[u8],
        id: JobId,
        entropy: &dyn Entropy,
    ) -> Result<SealedSecret, SealError> {
        self.encrypt(content, &mail_data(id), entropy)
    }

    /// Opens an email that was sealed for the row.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_mail(
        &self,
        sealed: &SealedSecret,
        id: JobId,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.decrypt(sealed, &mail_data(id))
    }

    fn encrypt(
        &self,
        plain: &[u8],
        associated: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<SealedSecret, SealError> {
        let (id, cipher) = self.keys.first().ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: associated,
        };
        let ciphertext = cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| SealError::Broken)?;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&ciphertext);
        Ok(SealedSecret {
            sealing_key_id: id.clone(),
            bytes,
        })
    }

    fn decrypt(
        &self,
        sealed: &SealedSecret,
        associated: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (_, cipher) = self
            .keys
            .iter()
            .find(|(id, _)| *id == sealed.sealing_key_id)
            .ok_or_else(|| SealError::UnknownKey(sealed.sealing_key_id.clone()))?;
        let rest = sealed
            .bytes
            .strip_prefix(&[VERSION])
            .ok_or(SealError::Broken)?;
        let (nonce, ciphertext) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::Broken)?;
        let payload = Payload {
            msg: ciphertext,
            aad: associated,
        };
        cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| SealError::Broken)
    }
}

fn mail_data(id: JobId) -> Vec<u8> {
    let mut data = b"charter outgoing mail".to_vec();
    data.push(VERSION);
    data.extend_from_slice(id.uuid().as_bytes());
    data
}

/// A new key's public text: `sa_{organization code}_{account code}_{random}` (contract section 1).
#[must_use]
pub fn mint_access_key(organization: &Code, account: &Code, entropy: &dyn Entropy) -> String {
    format!("sa_{organization}_{account}_{}", random_text(entropy, 20))
}

/// A new secret: `charter_sk_`, 32 random bytes in 43 base64url characters and a checksum, by which scanners recognize
/// it (contract section 1). It is never parsed: secrets in other forms stay valid.
#[must_use]
pub fn mint_secret(entropy: &dyn Entropy) -> SecretString {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(&mut *bytes);
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
    let text = Zeroizing::new(format!("charter_sk_{}", *text));
    SecretString::from(format!("{}{}", *text, checksum(&text)))
}

/// CRC-32 (IEEE) of a text in six base62 digits, the most significant first.
fn checksum(text: &str) -> String {
    const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let sum = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(text.as_bytes());
    (0..6)
        .rev()
        .map(|place| sum / 62_u32.pow(place) % 62)
        .filter_map(|digit| DIGITS.chars().nth(usize::try_from(digit).ok()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for (byte, value) in buffer.iter_mut().zip(0..) {
                *byte = value;
            }
        }
    }

    fn binding(key: u128, organization: u128) -> Binding {
        Binding {
            key: AccessKeyId::from_uuid(uuid::Uuid::from_u128(key)),
            organization: OrganizationId::from_uuid(uuid::Uuid::from_u128(organization)),
        }
    }

    #[test]
    fn a_sealed_secret_opens_only_on_its_own_row() {
        let vault = Sealer::new([("a".to_owned(), [7; 32])]).expect("a key");
        let secret = mint_secret(&Counting);
        let sealed = vault
            .seal(&secret, binding(1, 1), &Counting)
            .expect("sealed");
        let opened = vault.open(&sealed, binding(1, 1)).expect("opened");
        assert_eq!(opened.expose_secret(), secret.expose_secret());
        assert!(matches!(
            vault.open(&sealed, binding(2, 1)),
            Err(SealError::Broken)
        ));
        assert!(matches!(
            vault.open(&sealed, binding(1, 2)),
            Err(SealError::Broken)
        ));
        for position in 0..sealed.bytes.len() {
            let mut tampered = sealed.clone();
            tampered.bytes[position] ^= 1;
            assert!(
                vault.open(&tampered, binding(1, 1)).is_err(),
                "byte {position}"
            );
        }
    }

    #[test]
    fn a_new_first_key_seals_and_the_old_one_still_opens() {
        let old = Sealer::new([("old".to_owned(), [1; 32])]).expect("a key");
        let sealed = old
            .seal(&mint_secret(&Counting), binding(1, 1), &Counting)
            .expect("sealed");
        let both =
            Sealer::new([("new".to_owned(), [2; 32]), ("old".to_owned(), [1; 32])]).expect("keys");
        assert!(both.open(&sealed, binding(1, 1)).is_ok());
        let resealed = both
            .seal(&mint_secret(&Counting), binding(1, 1), &Counting)
            .expect("sealed");
        assert_eq!(resealed.sealing_key_id, "new");
        let new_only = Sealer::new([("new".to_owned(), [2; 32])]).expect("a key");
        assert!(
            matches!(new_only.open(&sealed, binding(1, 1)), Err(SealError::UnknownKey(id)) if id == "old")
        );
    }

    #[test]
    fn a_secret_is_shown_in_the_published_form() {
        let secret = mint_secret(&Counting);
        let text = secret.expose_secret();
        assert_eq!(
            text,
            "charter_sk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh84EJlF1"
        );
        assert!(!format!("{secret:?}").contains(text));
    }

    #[test]
    fn a_secret_in_the_older_form_opens_as_it_was_shown() {
        let vault = Sealer::new([("a".to_owned(), [7; 32])]).expect("a key");
        let older = SecretString::from(format!("sk_live_{}", "A".repeat(43)));
        let sealed = vault
            .seal(&older, binding(1, 1), &Counting)
            .expect("sealed");
        let opened = vault.open(&sealed, binding(1, 1)).expect("opened");
        assert_eq!(opened.expose_secret(), older.expose_secret());
    }

    #[test]
    fn a_checksum_is_crc32_in_six_digits() {
        // Computed with zlib.
        assert_eq!(checksum(""), "000000");
        assert_eq!(checksum("a"), "4GEHKN");
    }
}
