//! Builds the encryption of secrets and cursors from the settings' keys.

use std::sync::Arc;

use super::start_error::StartError;
use crate::settings::keys::{Key, Keys};
use charter_authn::secrets::{CursorSealer, Sealer};
use charter_domain::entropy::Entropy;

/// Encrypts the secrets of access keys.
pub fn sealer(keys: &Keys) -> Result<Sealer, StartError> {
    let keys = keys
        .sealing
        .iter()
        .map(|key| (key.id().to_owned(), *key.expose()));
    Ok(Sealer::new(keys)?)
}

/// Encrypts cursors, with derived keys.
pub(super) fn cursors(keys: &Keys, entropy: &Arc<dyn Entropy>) -> CursorSealer {
    let keys = keys.sealing.iter().map(Key::expose);
    CursorSealer::new(keys, Arc::clone(entropy))
}
