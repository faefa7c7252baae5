//! Passwords, kept as argon2id with OWASP's parameters (19 MiB, two passes, one lane).
//!
//! Pure work, some 30 ms and 19 MiB each time: see `password_pool.rs` for who may do it when.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::entropy::Entropy;

/// OWASP Password Storage Cheat Sheet, argon2id: memory in KiB, passes, lanes.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most that a stored hash may ask for. What is stored is ours, but one wrong row must not be
/// able to take the machine's memory.
const MAX_MEMORY: u32 = 64 * 1024;
const MAX_PASSES: u32 = 10;
const MAX_LANES: u32 = 4;

/// A password could not be hashed, or a stored hash not be read.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// Whether a password is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Right {
        /// Its stored hash is weaker than a new one would be.
        is_weak: bool,
    },
    /// It is not.
    Wrong,
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError(error.to_string())
}

/// Hashes a password into a PHC string.
///
/// # Errors
///
/// [`HashError`] for a password beyond argon2's own limits.
pub fn hash(password: &SecretString, entropy: &dyn Entropy) -> Result<String, HashError> {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(failed)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(failed)
}

/// Checks a password against a PHC string, in constant time once it is hashed.
///
/// # Errors
///
/// [`HashError`] if the stored text is not a hash that this service would have written.
pub fn verify(password: &SecretString, stored: &str) -> Result<Verdict, HashError> {
    let hash = PasswordHash::new(stored).map_err(failed)?;
    let params = Params::try_from(&hash).map_err(failed)?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory > MAX_MEMORY || passes > MAX_PASSES || lanes > MAX_LANES {
        return Err(failed("the stored hash asks for more work than is allowed"));
    }
    let is_weak = hash.algorithm.as_str() != "argon2id"
        || memory < MEMORY
        || passes < PASSES
        || hash.version.is_none_or(|version| version < 0x13);
    match Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash) {
        Ok(()) => Ok(Verdict::Right { is_weak }),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entropy::OsEntropy;

    #[test]
    fn the_right_password_is_told_from_others() {
        let right = SecretString::from("correct horse");
        let stored = hash(&right, &OsEntropy).expect("hashed");
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert_eq!(
            verify(&right, &stored).expect("read"),
            Verdict::Right { is_weak: false }
        );
        let wrong = SecretString::from("correct horsf");
        assert_eq!(verify(&wrong, &stored).expect("read"), Verdict::Wrong);
        assert_ne!(hash(&right, &OsEntropy).expect("hashed"), stored);
    }

    #[test]
    fn a_weaker_hash_is_noticed_and_an_absurd_one_refused() {
        let password = SecretString::from("correct horse");
        for (memory, passes, is_weak) in [
            (MEMORY, PASSES, false),
            (8192, PASSES, true),
            (MEMORY, 1, true),
            (MEMORY + 1, 3, false),
        ] {
            let params = Params::new(memory, passes, 1, None).expect("parameters");
            let stored = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_with_salt(b"correct horse", &[7; 16])
                .expect("hashed")
                .to_string();
            let verdict = verify(&password, &stored).expect("read");
            assert_eq!(verdict, Verdict::Right { is_weak }, "{memory} {passes}");
        }
        let good = hash(&password, &OsEntropy).expect("hashed");
        for absurd in [
            good.replace("m=19456", "m=4194304"),
            good.replace("t=2", "t=1000000"),
            good.replace("argon2id", "scrypt"),
            good.replace("$argon2id", ""),
            String::new(),
        ] {
            assert!(verify(&password, &absurd).is_err(), "`{absurd}` was taken");
        }
    }
}
