//! Signed requests (contract section 3): from the headers to a service account.
//!
//! The order of checks is the contract's: form, date, signature, state of the key, then (once the
//! body was read) its hash, then the nonce. A stranger can neither make the server read a body nor
//! use up a nonce.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;

use charter_domain::access_key::SpentNonce;
use charter_domain::caller::Caller;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::timestamp::Timestamp;
use charter_store::record_cache::RecordCache;
use charter_store::{self as store, Store};

use crate::credentials::{Credentials, SignedHeaders};
use crate::exact_time;
use crate::limits::rate_limit::RateLimits;
use crate::nonces::{ClaimError, NonceStore};
use crate::rejection::Rejection;
use crate::secrets::{Binding, Sealer, mint_secret};
use crate::signed::known::KnownKey;
use crate::signed::last_used::{LastUsed, NotedMinute};

/// How old a request is when it is told that its signature is wrong. Looking a key up costs less,
/// so the time of the answer does not tell a known key from an unknown one.
const MIN_REFUSAL_TIME: Duration = Duration::from_millis(5);

/// What verifying needs.
pub struct ServiceAccountParts {
    /// The rows of keys.
    pub store: Arc<Store>,
    /// Opens their secrets.
    pub sealer: Arc<Sealer>,
    /// Remembers nonces.
    pub nonces: Arc<dyn NonceStore>,
    /// The shares of keys and organizations.
    pub limits: Arc<RateLimits>,
    /// Hears of each use.
    pub last_used: Arc<LastUsed>,
    /// Bytes of memory for keys in use, about.
    pub memory: u64,
    /// How far a request's date may lie from the clock.
    pub max_skew: Duration,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Verifies signed requests.
pub struct ServiceAccounts {
    pub(super) parts: ServiceAccountParts,
    keys: RecordCache<String, KnownKey>,
    decoy: signing::Key,
}

/// A request whose signature verified and whose key may be used; its body is not yet checked.
pub struct Verified {
    known: Arc<KnownKey>,
    content_sha256: String,
    nonce: String,
    date: Timestamp,
    source_ip: IpAddr,
}

/// A request that passed all of it.
pub struct Admitted {
    /// Who signed.
    pub caller: Caller,
    /// What its writes remember.
    pub nonce: Option<SpentNonce>,
}

/// Why a signed request is refused, and who signed it, once the signature has proved that.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub rejection: Rejection,
    /// Who; for the log, never for the client.
    pub signer: Option<Caller>,
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            signer: None,
        }
    }
}

impl Verified {
    /// Who signed.
    #[must_use]
    pub fn signer(&self) -> Caller {
        Caller::ServiceAccount(Arc::clone(&self.known.caller))
    }
}

impl ServiceAccounts {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: ServiceAccountParts, entropy: &dyn Entropy) -> Self {
        Self {
            keys: RecordCache::new(parts.memory),
            decoy: signing::Key::new(mint_secret(entropy).expose_secret()),
            parts,
        }
    }

    /// Everything that can be said before the body is read.
    ///
    /// # Errors
    ///
    /// The first check that fails, in the contract's order.
    pub async fn verify(&self, credentials: &Credentials<'_>) -> Result<Verified, Refused> {
        let arrived = tokio::time::Instant::now();
        let signed = credentials.signed()?;
        self.check_date(signed.date)?;
        let Some(known) = self.find_signer(&signed).await? else {
            exact_time::sleep_until(arrived + MIN_REFUSAL_TIME).await;
            return Err(Rejection::InvalidSignature {
                string_to_sign: signed.text.to_string(),
            }
            .into());
        };
        let verified = Verified {
            known,
            content_sha256: signed.content_sha256.to_owned(),
            nonce: signed.nonce.to_owned(),
            date: signed.date,
            source_ip: credentials.source_ip,
        };
        self.check_state(&verified.known, verified.source_ip)
            .and_then(|()| self.count(&verified.known))
            .map_err(|rejection| Refused {
                rejection,
                signer: Some(verified.signer()),
            })?;
        Ok(verified)
    }

    /// Looks at the key again, for a body that was long in coming: what was revoked or taken away
    /// meanwhile is not in the answer.
    ///
    /// # Errors
    ///
    /// What the state of the key is now.
    pub async fn verify_again(&self, verified: Verified) -> Result<Verified, Rejection> {
        let access_key = &verified.known.access_key.access_key;
        let known = match self.keys.get(access_key, self.parts.store.changes()) {
            Some(known) => known,
            None => self.read(access_key).await?.ok_or(Rejection::KeyRevoked)?,
        };
        self.check_state(&known, verified.source_ip)?;
        Ok(Verified { known, ..verified })
    }

    /// What remains once the body was read: its hash, and the nonce.
    ///
    /// # Errors
    ///
    /// [`Rejection::BodyHashMismatch`], or what the replay guard says.
    pub async fn admit(&self, verified: Verified, body: &[u8]) -> Result<Admitted, Rejection> {
        if !signing::content_matches(body, &verified.content_sha256) {
            return Err(Rejection::BodyHashMismatch);
        }
        self.claim_nonce(verified).await
    }

    /// The nonce alone, for a gateway that asks about a request whose body goes to somebody else: who has the body
    /// compares its hash with `x-content-sha256` (contract section 7). Nothing here makes the write, so its nonce is
    /// recorded in the database at once, if the replay guard does not suffice.
    ///
    /// # Errors
    ///
    /// What the replay guard says, and the store.
    pub async fn admit_for_gateway(
        &self,
        verified: Verified,
        is_write: bool,
    ) -> Result<Caller, Rejection> {
        let admitted = self.claim_nonce(verified).await?;
        if let Some(nonce) = admitted.nonce.filter(|_| is_write) {
            let spent = self.parts.store.spend_nonce(nonce).await;
            spent.map_err(|error| match error {
                store::Error::NonceSpent => Rejection::ReplayedNonce,
                error => Rejection::unavailable(error),
            })?;
        }
        Ok(admitted.caller)
    }

    async fn claim_nonce(&self, verified: Verified) -> Result<Admitted, Rejection> {
        let KnownKey {
            caller,
            access_key,
            noted,
            ..
        } = &*verified.known;
        self.parts
            .nonces
            .claim(
                access_key.id,
                caller.organization().id,
                &verified.nonce,
                verified.date,
            )
            .await
            .map_err(|refusal| self.rejection(refusal))?;
        self.parts.last_used.note(
            access_key.id,
            caller.service_account().id,
            noted,
            self.parts.clock.now(),
        );
        let nonces = &self.parts.nonces;
        Ok(Admitted {
            caller: Caller::ServiceAccount(Arc::clone(caller)),
            nonce: nonces.row_of(access_key.id, &verified.nonce, verified.date),
        })
    }

    fn check_date(&self, date: Timestamp) -> Result<(), Rejection> {
        let now = self.parts.clock.now();
        let distance = (now - date).abs().to_std().unwrap_or(Duration::MAX);
        if distance > self.parts.max_skew {
            return Err(Rejection::ClockSkew { server_time: now });
        }
        Ok(())
    }

    /// The key that signed this request, if one did.
    ///
    /// A signature that does not verify against the remembered secret is checked once more against
    /// the stored one; an unknown key, and one that cannot be read, are checked against a decoy.
    async fn find_signer(
        &self,
        signed: &SignedHeaders<'_>,
    ) -> Result<Option<Arc<KnownKey>>, Rejection> {
        let access_key = signed.authorization.access_key();
        let verifies = |known: Option<&Arc<KnownKey>>| {
            let key = known.map_or(&self.decoy, |known| &known.key);
            signed
                .text
                .verify(key, signed.authorization.signature())
                .is_ok()
        };
        let remembered = self.keys.get(access_key, self.parts.store.changes());
        if verifies(remembered.as_ref()) && remembered.is_some() {
            return Ok(remembered);
        }
        let stored = match self.read(access_key).await {
            Err(Rejection::Internal(cause)) => {
                report_unreadable(&cause);
                None
            }
            read => read?,
        };
        let is_signer = verifies(stored.as_ref());
        Ok(stored.filter(|_| is_signer))
    }

    async fn read(&self, access_key: &str) -> Result<Option<Arc<KnownKey>>, Rejection> {
        let reading = RecordCache::<String, KnownKey>::start_reading(self.parts.store.changes());
        let found = self.parts.store.find_credential(access_key).await;
        let Some(credential) = found.map_err(read_failure)? else {
            return Ok(None);
        };
        let binding = Binding {
            key: credential.access_key.id,
            organization: credential.caller.organization().id,
        };
        let secret = self
            .parts
            .sealer
            .open(&credential.secret, binding)
            .map_err(|error| Rejection::Internal(format!("{}: {error}", binding.key)))?;
        let known = Arc::new(KnownKey {
            caller: Arc::new(credential.caller),
            noted: NotedMinute::new(credential.access_key.last_used_at),
            access_key: credential.access_key,
            key: signing::Key::new(secret.expose_secret()),
        });
        self.keys
            .put(access_key.to_owned(), Arc::clone(&known), reading);
        Ok(Some(known))
    }

    fn check_state(&self, known: &KnownKey, source_ip: IpAddr) -> Result<(), Rejection> {
        let (key, caller) = (&known.access_key, &known.caller);
        if key.revoked_at.is_some() || caller.service_account().deleted_at.is_some() {
            return Err(Rejection::KeyRevoked);
        }
        if !caller.service_account().is_active || !caller.account().is_active {
            return Err(Rejection::ServiceAccountDisabled);
        }
        if key.is_expired(self.parts.clock.now()) {
            return Err(Rejection::KeyExpired);
        }
        if !key.ip_allowlist.admits(source_ip) {
            return Err(Rejection::IpNotAllowed);
        }
        Ok(())
    }

    fn count(&self, known: &KnownKey) -> Result<(), Rejection> {
        self.parts
            .limits
            .count(known.access_key.id, known.caller.organization().id)
            .map_err(Rejection::from)
    }

    fn rejection(&self, refusal: ClaimError) -> Rejection {
        match refusal {
            ClaimError::Replayed => Rejection::ReplayedNonce,
            ClaimError::Forgotten | ClaimError::OutsideWindow => Rejection::ClockSkew {
                server_time: self.parts.clock.now(),
            },
            ClaimError::KeyQuota { limit, retry_after } => {
                Rejection::NonceQuota { limit, retry_after }
            }
            ClaimError::Budget(exhausted) => Rejection::Exhausted(exhausted),
            ClaimError::Full { retry_after } => Rejection::Unavailable {
                cause: "the replay guard is full".to_owned(),
                retry_after,
            },
            ClaimError::Closed { retry_after } => Rejection::Unavailable {
                cause: "the replay guard may have forgotten nonces of this time".to_owned(),
                retry_after,
            },
            ClaimError::NotHeld(_) | ClaimError::NotGranted => Rejection::unavailable(refusal),
            ClaimError::Unavailable(error) => {
                Rejection::unavailable(format_args!("the replay guard cannot remember: {error}"))
            }
        }
    }
}

pub(super) fn read_failure(error: store::Error) -> Rejection {
    match error {
        store::Error::Corrupt(cause) => Rejection::Internal(cause),
        error => Rejection::unavailable(error),
    }
}

/// A key that cannot be read is answered as an unknown one: another answer would tell strangers that it exists.
pub(super) fn report_unreadable(cause: &str) {
    tracing::error!(
        cause,
        "an access key cannot be read; its requests are refused as those of an unknown one"
    );
    metrics::counter!("charter_access_keys_unreadable_total").increment(1);
}
