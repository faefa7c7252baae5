//! Access tokens: JWTs (RFC 7519) with one algorithm, one type (RFC 9068 section 2.1) and a fixed set of keys. Anything
//! that is not exactly as written here is refused.
//!
//! A verified token is cached by its hash until it expires; its session is not.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use charter_domain::entropy::Entropy;
use charter_domain::id::{OrganizationId, SessionId, UserId};
use charter_domain::timestamp::Timestamp;

use super::ed25519;

/// How long a token is valid (contract section 5).
pub const LIFETIME: Duration = Duration::from_mins(15);
const LIFETIME_SECONDS: i64 = 900;
/// How far another replica's clock may be ahead of this one's, in seconds: each may be 15 off before it refuses
/// signed requests.
const MAX_CLOCK_LEAD: i64 = 30;
/// Longer texts are not parsed; tokens have some 600 characters.
const MAX_LENGTH: usize = 4096;
const TYPE: &str = "at+jwt";
/// Bounds the memory: a dropped token is verified again.
const MAX_REMEMBERED: u64 = 100_000;

/// PKCS#8 of an Ed25519 key before its 32 bytes of seed (RFC 8410 section 7).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The claims of a token (contract section 5), without roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    pub user: UserId,
    pub organization: OrganizationId,
    pub session: SessionId,
    expires_at: i64,
}

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// Not signed or not written by this service.
    Invalid,
    /// Valid, but expired.
    Expired,
}

/// A signing key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the token key `{id}` cannot be used: {why}")]
pub struct KeyError {
    id: String,
    why: String,
}

struct Key {
    id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    public: Jwk,
}

/// Signs with its first key and verifies with any.
pub struct AccessTokens {
    keys: Vec<Key>,
    issuer: String,
    verified: Cache<[u8; 32], Claims>,
    validation: Validation,
}

/// The claims as written: exactly these, each of one type.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    iss: String,
    aud: String,
    sub: String,
    org: String,
    iat: i64,
    exp: i64,
    jti: String,
    sid: String,
}

/// The header as written. `crit`, `jku`, `jwk` and `x5u` are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHeader {
    alg: String,
    typ: String,
    kid: String,
}

impl AccessTokens {
    /// `keys` are seeds with ids; the first one signs. The public base URL is issuer and audience.
    ///
    /// # Errors
    ///
    /// [`KeyError`] for a seed that the library refuses.
    pub fn new(
        keys: impl IntoIterator<Item = (String, [u8; 32])>,
        issuer: String,
    ) -> Result<Self, KeyError> {
        ed25519::install();
        let keys = keys.into_iter().map(Key::new).collect::<Result<_, _>>()?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Checked below, by the service's clock and more strictly.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self {
            keys,
            issuer,
            verified: Cache::builder()
                .max_capacity(MAX_REMEMBERED)
                .time_to_live(LIFETIME)
                .build(),
            validation,
        })
    }

    /// # Errors
    ///
    /// [`KeyError`] if there is no key, or signing fails.
    pub fn issue(
        &self,
        user: UserId,
        organization: OrganizationId,
        session: SessionId,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<String, KeyError> {
        let key = self.keys.first().ok_or_else(|| KeyError {
            id: "none".to_owned(),
            why: "no key is configured".to_owned(),
        })?;
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let claims = Written {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: user.uuid().to_string(),
            org: organization.uuid().to_string(),
            iat: now.timestamp(),
            exp: now.timestamp().saturating_add(LIFETIME_SECONDS),
            jti: URL_SAFE_NO_PAD.encode(random),
            sid: session.uuid().to_string(),
        };
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(key.id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &key.signing).map_err(|error| key.fault(error))
    }

    /// Reads a token.
    ///
    /// # Errors
    ///
    /// [`TokenFault`]; [`TokenFault::Expired`] only if nothing else is wrong with it.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenFault> {
        if token.len() > MAX_LENGTH {
            return Err(TokenFault::Invalid);
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let claims = if let Some(claims) = self.verified.get(&hash) {
            claims
        } else {
            let claims = self.read(token, now).ok_or(TokenFault::Invalid)?;
            self.verified.insert(hash, claims);
            claims
        };
        if claims.expires_at <= now.timestamp() {
            return Err(TokenFault::Expired);
        }
        Ok(claims)
    }

    /// Checks everything but the expiry.
    fn read(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let (head, _) = token.split_once('.')?;
        let head = URL_SAFE_NO_PAD.decode(head).ok()?;
        let header: WrittenHeader = serde_json::from_slice(&head).ok()?;
        if header.alg != "EdDSA" || header.typ != TYPE {
            return None;
        }
        let key = self.keys.iter().find(|key| key.id == header.kid)?;
        let token =
            jsonwebtoken::decode::<Written>(token, &key.verifying, &self.validation).ok()?;
        let claims = token.claims;
        let lifetime = claims.exp.checked_sub(claims.iat)?;
        let is_ours = claims.iss == self.issuer
            && claims.aud == self.issuer
            && (1..=LIFETIME_SECONDS).contains(&lifetime)
            && claims.iat <= now.timestamp().saturating_add(MAX_CLOCK_LEAD);
        if !is_ours {
            return None;
        }
        Some(Claims {
            user: UserId::parse_uuid(&claims.sub)?,
            organization: OrganizationId::parse_uuid(&claims.org)?,
            session: SessionId::parse_uuid(&claims.sid)?,
            expires_at: claims.exp,
        })
    }

    /// The public keys (RFC 7517).
    #[must_use]
    pub fn public_keys(&self) -> JwkSet {
        JwkSet {
            keys: self.keys.iter().map(|key| key.public.clone()).collect(),
        }
    }
}

impl Key {
    fn new((id, seed): (String, [u8; 32])) -> Result<Self, KeyError> {
        let seed = Zeroizing::new(seed);
        let der = Zeroizing::new([&PKCS8_HEAD[..], &seed[..]].concat());
        let signing = EncodingKey::from_ed_der(&der);
        let fault = |why: &dyn std::fmt::Display| KeyError {
            id: id.clone(),
            why: why.to_string(),
        };
        let mut public =
            Jwk::from_encoding_key(&signing, Algorithm::EdDSA).map_err(|error| fault(&error))?;
        let AlgorithmParameters::OctetKeyPair(pair) = &public.algorithm else {
            return Err(fault(&"it is not an octet key pair"));
        };
        let verifying = DecodingKey::from_ed_components(&pair.x).map_err(|error| fault(&error))?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        public.common.key_operations = Some(vec![KeyOperations::Verify]);
        Ok(Self {
            id,
            signing,
            verifying,
            public,
        })
    }

    fn fault(&self, why: impl std::fmt::Display) -> KeyError {
        KeyError {
            id: self.id.clone(),
            why: why.to_string(),
        }
    }
}
