//! What is made of the settings' keys.

use super::start_error::StartError;
use crate::settings::keys::Keys;
use charter_authn::secrets::Sealer;

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
