//! The hash chain of the log: each line has a MAC that covers the previous line's MAC.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD as HALF};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use charter_domain::keyed_hash::keyed_hash;

/// The first half of an HMAC-SHA-256 (RFC 2104 section 5).
pub(super) type Mac = [u8; 16];

/// The previous MAC of the first line.
pub(super) const ORIGIN: Mac = [0; 16];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) sequence: u64,
    pub(super) mac: Mac,
}

/// A line's MAC: whole in format version 1, truncated to its first half since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Whole([u8; 32]),
    Half(Mac),
}

impl Code {
    /// The half that other lines and the head refer to.
    pub(super) fn mac(self) -> Mac {
        match self {
            Self::Whole(whole) => half(whole),
            Self::Half(half) => half,
        }
    }
}

fn half(whole: [u8; 32]) -> Mac {
    let mut half = ORIGIN;
    for (to, from) in half.iter_mut().zip(whole) {
        *to = from;
    }
    half
}

/// The audit key also authenticates the audit trail; domain separation keeps the two apart.
const PURPOSE: &[u8] = b"charter decision log v1";
const MASK_PURPOSE: &[u8] = b"charter decision log mask v1";

const BEFORE_MAC: &[u8] = b",\"mac\":\"";
const AFTER_MAC: &[u8] = b"\"}";
/// Base64 lengths of a half and of a whole MAC.
const ENCODED: [usize; 2] = [22, 44];

#[derive(Debug)]
pub struct LogKey {
    /// Recorded in each file.
    pub id: String,
    pub secret: SecretSlice<u8>,
}

/// The keys derived from one audit key.
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
    #[must_use]
    pub fn new(key: &LogKey) -> Self {
        let derived = |purpose: &[u8]| {
            let derived = keyed_hash(key.secret.expose_secret()).chain_update(purpose);
            keyed_hash(&derived.finalize().into_bytes())
        };
        Self {
            id: key.id.clone(),
            lines: derived(PURPOSE),
            masks: derived(MASK_PURPOSE),
        }
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The MAC of a line, over everything before its `mac` member.
    fn code(&self, body: &[u8]) -> [u8; 32] {
        let mut hmac = self.lines.clone();
        hmac.update(body);
        hmac.finalize().into_bytes().into()
    }

    /// Whether this key made the MAC of a line.
    pub(super) fn made(&self, body: &[u8], code: Code) -> bool {
        let made = self.code(body);
        match code {
            Code::Whole(whole) => made == whole,
            Code::Half(of_it) => half(made) == of_it,
        }
    }

    /// Appends the MAC and a line feed to the line that begins at `start` of `text` and ends with `}`.
    pub(super) fn seal(&self, text: &mut Vec<u8>, start: usize) -> Mac {
        text.pop();
        #[expect(
            clippy::expect_used,
            reason = "whoever began the line there has written on"
        )]
        let line = text.get(start..).expect("a line");
        let mac = half(self.code(line));
        text.extend_from_slice(BEFORE_MAC);
        text.extend_from_slice(encode(&mac).as_bytes());
        text.extend_from_slice(AFTER_MAC);
        text.push(b'\n');
        mac
    }

    /// A keyed hash in place of a text: equal texts have equal hashes.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut hmac = self.masks.clone();
        hmac.update(text.as_bytes());
        let bytes: [u8; 32] = hmac.finalize().into_bytes().into();
        format!("masked:{}", BASE64.encode(&bytes[..12]))
    }
}

/// Splits a line without its line feed into the authenticated bytes and the MAC. `None` if it does
/// not end with a MAC.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], Code)> {
    let before_end = line.strip_suffix(AFTER_MAC)?;
    ENCODED.into_iter().find_map(|length| {
        let (before, encoded) =
            before_end.split_at_checked(before_end.len().checked_sub(length)?)?;
        let body = before.strip_suffix(BEFORE_MAC)?;
        Some((body, read_code(encoded)?))
    })
}

fn read_code(encoded: &[u8]) -> Option<Code> {
    let half = || HALF.decode(encoded).ok()?.try_into().ok();
    let whole = || BASE64.decode(encoded).ok()?.try_into().ok();
    half().map(Code::Half).or_else(|| whole().map(Code::Whole))
}

pub(super) fn encode(mac: &Mac) -> String {
    HALF.encode(mac)
}

pub(super) fn decode(text: &str) -> Option<Mac> {
    read_code(text.as_bytes()).map(Code::mac)
}
