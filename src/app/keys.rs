//! What is made of the settings' keys.

use std::sync::Arc;

use super::start_error::StartError;
use crate::settings::keys::{Key, Keys};
use charter_authn::secrets::{CursorSealer, Sealer};
use charter_domain::entropy::Entropy;

/// The sealer of access-key secrets.
///
/// # Errors
///
/// No sealing key.
pub fn sealer(keys: &Keys) -> Result<Sealer, StartError> {
    let keys = keys
        .sealing
        .iter()
        .map(|key| (key.id().to_owned(), *key.expose()));
    Ok(Sealer::new(keys)?)
}

/// The sealer of cursors, whose keys are derived from the same.
pub(super) fn cursors(keys: &Keys, entropy: &Arc<dyn Entropy>) -> CursorSealer {
    let keys = keys.sealing.iter().map(Key::expose);
    CursorSealer::new(keys, Arc::clone(entropy))
}
