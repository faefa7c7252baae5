//! A leaked key, ended by whoever can show its secret (contract section 4).

use std::time::Duration;

use hmac::Mac as _;
use secrecy::{ExposeSecret, SecretString};

use charter_domain::audit::{Actor, AuditContext};
use charter_domain::keyed_hash::keyed_hash;
use charter_store as store;

use super::verify::{ServiceAccounts, report_unreadable};
use crate::rejection::Rejection;
use crate::secrets::Binding;
use crate::users::AnonymousClient;

/// Between attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

impl ServiceAccounts {
    /// Revokes the key if the secret is its own, whatever the state of the key, its service account, account and
    /// organization. Nothing otherwise; who reports is not told which, and must not be able to tell by the time. While
    /// the store cannot be written it tries again until it is done.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn revoke_leaked(
        &self,
        access_key: &str,
        secret: &SecretString,
        client: &AnonymousClient,
    ) -> Result<(), Rejection> {
        let found = self.parts.store.find_credential(access_key).await;
        let credential = match found {
            Ok(Some(credential)) => credential,
            Ok(None) => return Ok(()),
            Err(store::Error::Corrupt(cause)) => {
                report_unreadable(&cause);
                return Ok(());
            }
            Err(error) => return Err(Rejection::unavailable(error)),
        };
        let binding = Binding {
            key: credential.access_key.id,
            organization: credential.caller.organization().id,
        };
        let stored = match self.parts.sealer.open(&credential.secret, binding) {
            Ok(stored) => stored,
            Err(error) => {
                report_unreadable(&format!("{}: {error}", binding.key));
                return Ok(());
            }
        };
        if !is_same(&stored, secret) {
            return Ok(());
        }
        let by = AuditContext {
            actor: Actor::LeakReport,
            request_id: Some(client.request_id.clone()),
            policy_digest: None,
            at: self.parts.clock.now(),
            precondition_failed: false,
        };
        let mut is_first_try = true;
        loop {
            match self.parts.store.revoke_leaked_key(&credential, &by).await {
                Ok(()) => {
                    tracing::warn!(key = %binding.key, "a leaked key was reported and is revoked");
                    return Ok(());
                }
                // Its organization is gone since it was found.
                Err(store::Error::NotFound) => return Ok(()),
                Err(error @ (store::Error::Unavailable(_) | store::Error::Stale)) => {
                    if std::mem::take(&mut is_first_try) {
                        tracing::error!(
                            key = %binding.key,
                            request_id = client.request_id,
                            ?error,
                            "a leaked key was reported and could not be revoked yet; retrying"
                        );
                    }
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                Err(error) => return Err(Rejection::unavailable(error)),
            }
        }
    }
}

/// Compares in constant time, whatever the lengths: by MACs under a key that both share.
fn is_same(stored: &SecretString, shown: &SecretString) -> bool {
    let mac = |secret: &SecretString| {
        keyed_hash(b"charter leaked key").chain_update(secret.expose_secret())
    };
    let expected = mac(stored).finalize().into_bytes();
    mac(shown).verify_slice(&expected).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_the_same_to_the_last_byte() {
        let same = |one: &str, other: &str| is_same(&one.into(), &other.into());
        assert!(same("sk_live_abc", "sk_live_abc"));
        for other in [
            "",
            "sk_live_ab",
            "sk_live_abcd",
            "sk_live_abC",
            "SK_LIVE_ABC",
        ] {
            assert!(!same("sk_live_abc", other), "{other}");
        }
    }
}
