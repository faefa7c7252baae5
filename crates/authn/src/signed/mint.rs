//! New access keys: text, secret and sealed secret in one go.

use std::sync::Arc;

use secrecy::SecretString;

use charter_domain::account::Account;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::id::AccessKeyId;
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::organization::Organization;
use charter_domain::text::Description;
use charter_store::NewKey;

use crate::secrets::{Binding, SealError, Sealer, mint_access_key, mint_secret};

/// Makes access keys.
pub struct KeyMint {
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// A key that is not stored yet.
#[derive(Debug)]
pub struct MintedKey {
    /// Without a description, and neither expiring nor bound to addresses.
    pub new: NewKey,
    /// What the owner is shown, once.
    pub secret: SecretString,
}

impl KeyMint {
    /// Takes what making a key needs.
    #[must_use]
    pub const fn new(
        sealer: Arc<Sealer>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            sealer,
            clock,
            entropy,
        }
    }

    /// Makes a key for a service account of this account.
    ///
    /// # Errors
    ///
    /// [`SealError`] if the secret cannot be sealed.
    pub fn mint(
        &self,
        organization: &Organization,
        account: &Account,
    ) -> Result<MintedKey, SealError> {
        let entropy = &*self.entropy;
        let id = AccessKeyId::generate(self.clock.now(), entropy);
        let secret = mint_secret(entropy);
        let binding = Binding {
            key: id,
            organization: organization.id,
        };
        let new = NewKey {
            id,
            access_key: mint_access_key(&organization.code, &account.code, entropy),
            secret: self.sealer.seal(&secret, binding, entropy)?,
            description: Description::default(),
            ip_allowlist: IpAllowlist::default(),
            expires_at: None,
        };
        Ok(MintedKey { new, secret })
    }
}
