//! The chain of the log: each line carries a code over itself, and itself names the code of the
//! line before it. Who has no key can compute none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac as _};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// A message authentication code.
pub(super) type Mac = [u8; 32];

/// What stands before the first line of all.
pub(super) const ORIGIN: Mac = [0; 32];

/// The audit key serves two logs; what is authenticated in one must mean nothing in the other.
const PURPOSE: &[u8] = b"charter decision log v1";
const MASK_PURPOSE: &[u8] = b"charter decision log mask v1";

const BEFORE_MAC: &[u8] = b",\"mac\":\"";
const AFTER_MAC: &[u8] = b"\"}";
const ENCODED_MAC: usize = 44;
const SUFFIX: usize = BEFORE_MAC.len() + ENCODED_MAC + AFTER_MAC.len();

/// A key of the log: one of the audit keys.
#[derive(Debug)]
pub struct LogKey {
    /// Its name, which each file carries.
    pub id: String,
    /// The audit key itself.
    pub secret: SecretSlice<u8>,
}

/// A key, ready to authenticate lines.
#[derive(Clone)]
pub struct Chain {
    id: String,
    lines: Hmac<Sha256>,
    masks: Hmac<Sha256>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// Derives what the log needs of an audit key. `None` never happens: HMAC takes any length.
    #[must_use]
    pub fn new(key: &LogKey) -> Option<Self> {
        let derived = |purpose: &[u8]| {
            let mut hmac = Hmac::<Sha256>::new_from_slice(key.secret.expose_secret()).ok()?;
            hmac.update(purpose);
            Hmac::<Sha256>::new_from_slice(&hmac.finalize().into_bytes()).ok()
        };
        Some(Self {
            id: key.id.clone(),
            lines: derived(PURPOSE)?,
            masks: derived(MASK_PURPOSE)?,
        })
    }

    /// The key's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The code of a line, over everything in front of its `mac`.
    pub(super) fn mac(&self, body: &[u8]) -> Mac {
        let mut hmac = self.lines.clone();
        hmac.update(body);
        hmac.finalize().into_bytes().into()
    }

    /// Closes a line that begins at `start` of `text` and ends with `}`: adds its code and a line
    /// feed.
    pub(super) fn seal(&self, text: &mut Vec<u8>, start: usize) -> Mac {
        text.pop();
        let mac = self.mac(text.get(start..).unwrap_or_default());
        text.extend_from_slice(BEFORE_MAC);
        text.extend_from_slice(encode(&mac).as_bytes());
        text.extend_from_slice(AFTER_MAC);
        text.push(b'\n');
        mac
    }

    /// Replaces a text so that equal ones stay equal and no other can be told.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut hmac = self.masks.clone();
        hmac.update(text.as_bytes());
        let bytes: [u8; 32] = hmac.finalize().into_bytes().into();
        let short = bytes.get(..12).unwrap_or_default();
        format!("masked:{}", BASE64.encode(short))
    }
}

/// A line without its line feed, taken apart: what the code is over, and the code. `None` if it
/// does not end as lines do.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], Mac)> {
    let (body, suffix) = line.split_at_checked(line.len().checked_sub(SUFFIX)?)?;
    let encoded = suffix.strip_prefix(BEFORE_MAC)?.strip_suffix(AFTER_MAC)?;
    Some((body, BASE64.decode(encoded).ok()?.try_into().ok()?))
}

/// A code as lines show it.
pub(super) fn encode(mac: &Mac) -> String {
    BASE64.encode(mac)
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(text: &str) -> Option<Mac> {
    BASE64.decode(text).ok()?.try_into().ok()
}
