//! Passwords, kept as argon2id with OWASP's parameters (19 MiB, two passes, one lane).

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::entropy::Entropy;

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// Hashes a password into a PHC string. Takes some 30 ms and 19 MiB: not for an async worker.
///
/// # Errors
///
/// [`HashError`] for a password beyond argon2's own limits.
pub fn hash(password: &SecretString, entropy: &dyn Entropy) -> Result<String, HashError> {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let failed = |error: &dyn std::fmt::Display| HashError(error.to_string());
    let params = Params::new(19_456, 2, 1, None).map_err(|error| failed(&error))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| failed(&error))
}
