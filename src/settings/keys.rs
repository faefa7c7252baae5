//! The service's own keys: parsing `id:base64 of 32 bytes`, and generation. Their values never appear in errors or
//! logs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

use super::reader::Reader;
use charter_domain::entropy::Entropy;

pub const KEY_BYTES: usize = 32;

/// A key with its id. `Debug` shows the id only.
#[derive(Debug)]
pub struct Key {
    id: String,
    material: SecretBox<[u8; KEY_BYTES]>,
}

impl Key {
    /// 1 to 32 characters of `[a-z0-9-]`; not secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        self.material.expose_secret()
    }

    /// Parses `id:base64`. Errors never contain the key.
    fn parse(entry: &str) -> Result<Self, String> {
        let Some((id, encoded)) = entry.split_once(':') else {
            return Err(
                "expected `id:base64 of 32 bytes`, as `charter keys generate` prints".to_owned(),
            );
        };
        let id_is_well_formed = (1..=32).contains(&id.len())
            && id
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !id_is_well_formed {
            return Err(
                "the id before the colon must be 1 to 32 characters of `a-z`, `0-9` and `-`"
                    .to_owned(),
            );
        }
        let decoded =
            Zeroizing::new(STANDARD.decode(encoded).map_err(|_| {
                format!("the key `{id}` is not base64 (standard alphabet, padded)")
            })?);
        let mut material = Box::new([0; KEY_BYTES]);
        if decoded.len() != material.len() {
            let length = decoded.len();
            return Err(format!(
                "the key `{id}` has {length} bytes, it must have {KEY_BYTES}"
            ));
        }
        material.copy_from_slice(&decoded);
        Ok(Self {
            id: id.to_owned(),
            material: SecretBox::new(material),
        })
    }
}

/// All keys of the service. In a list, the first is used for new data and all of them for existing data.
#[derive(Debug)]
pub struct Keys {
    /// Encrypt secrets in the database; never empty.
    pub sealing: Vec<Key>,
    /// Authenticate the chains of audit events; never empty.
    pub audit: Vec<Key>,
    /// Hashes remembered nonces.
    pub replay: Key,
    /// Sign access tokens; never empty.
    pub token: Vec<Key>,
    /// Derive successors of refresh tokens; never empty.
    pub refresh: Vec<Key>,
}

/// `None` if no key is set; an incomplete set is a fault.
pub(super) fn read(reader: &mut Reader) -> Option<Keys> {
    let sealing = reader.parsed_list("keys.sealing", Key::parse);
    let audit = reader.parsed_list("keys.audit", Key::parse);
    let mut replay = reader.parsed_single("keys.replay", Key::parse);
    let token = reader.parsed_list("keys.token", Key::parse);
    let refresh = reader.parsed_list("keys.refresh", Key::parse);

    let purposes = [
        ("keys.sealing", &sealing),
        ("keys.audit", &audit),
        ("keys.replay", &replay),
        ("keys.token", &token),
        ("keys.refresh", &refresh),
    ];
    if purposes.iter().all(|(_, keys)| keys.is_empty()) {
        return None;
    }
    let mut faults = Vec::new();
    let mut materials = BTreeSet::new();
    for (purpose, keys) in purposes {
        let mut ids = BTreeSet::new();
        for key in keys {
            if !ids.insert(key.id()) {
                faults.push((purpose, format!("has two keys with the id `{}`", key.id())));
            }
            if !materials.insert(key.expose()) {
                let id = key.id();
                faults.push((
                    purpose,
                    format!("the key `{id}` is used elsewhere too: each key has one purpose"),
                ));
            }
        }
    }
    for (purpose, keys) in purposes {
        if keys.is_empty() {
            faults.push((
                purpose,
                "is missing: `charter keys generate` makes one".to_owned(),
            ));
        }
    }
    if replay.len() > 1 {
        faults.push(("keys.replay", "must have exactly one key".to_owned()));
    }
    for (purpose, message) in faults {
        reader.disagreement(purpose, message);
    }
    let replay = replay.pop()?;
    Some(Keys {
        sealing,
        audit,
        replay,
        token,
        refresh,
    })
}

/// New keys for all purposes, as settings have them.
pub struct NewKeys(Vec<(&'static str, Zeroizing<String>)>);

/// The settings that hold a single key, not a list.
const SINGLE: &str = "replay";

impl NewKeys {
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let purposes = ["sealing", "audit", SINGLE, "token", "refresh"];
        Self(
            purposes
                .map(|purpose| (purpose, new_key(purpose, entropy)))
                .into(),
        )
    }

    /// The `[keys]` section of a settings file.
    #[must_use]
    pub fn to_toml(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::from("[keys]\n"));
        for (purpose, value) in self.values() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{purpose} = {}", *value);
        }
        text
    }

    /// A JSON document with the member `keys`, whose members are the settings.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::from("{\n  \"keys\": {"));
        let mut before = "";
        for (purpose, value) in self.values() {
            let _ = write!(text, "{before}\n    \"{purpose}\": {}", *value);
            before = ",";
        }
        text.push_str("\n  }\n}\n");
        text
    }

    /// The values of the settings, the same in TOML and JSON: no character of a key needs an escape.
    fn values(&self) -> impl Iterator<Item = (&'static str, Zeroizing<String>)> {
        self.0.iter().map(|(purpose, key)| {
            let value = match *purpose {
                SINGLE => format!("\"{}\"", **key),
                _ => format!("[\"{}\"]", **key),
            };
            (*purpose, Zeroizing::new(value))
        })
    }
}

/// New keys as the `[keys]` section of a settings file.
#[must_use]
pub fn generate(entropy: &dyn Entropy) -> Zeroizing<String> {
    NewKeys::generate(entropy).to_toml()
}

fn new_key(purpose: &str, entropy: &dyn Entropy) -> Zeroizing<String> {
    let mut material = Zeroizing::new([0; KEY_BYTES]);
    entropy.fill(material.as_mut());
    let mut suffix = [0; 4];
    entropy.fill(&mut suffix);
    let suffix = u32::from_le_bytes(suffix);
    let encoded = Zeroizing::new(STANDARD.encode(material.as_ref()));
    Zeroizing::new(format!("{purpose}-{suffix:08x}:{}", *encoded))
}
