//! Passwords, hashed by argon2id with OWASP's parameters (19 MiB, two passes, one lane).
//!
//! Each hash takes some 30 ms and 19 MiB: `password_pool.rs` schedules them.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use charter_domain::entropy::Entropy;

/// OWASP Password Storage Cheat Sheet, argon2id: memory in KiB, passes, lanes.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Limits of a stored hash, so that a wrong row cannot exhaust the memory.
const MAX_MEMORY: u32 = 64 * 1024;
const MAX_PASSES: u32 = 10;
const MAX_LANES: u32 = 4;

#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// Whether a password is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordVerdict {
    Right {
        /// The stored hash is weaker than a new one would be.
        is_weak: bool,
    },
    Wrong,
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError(error.to_string())
}

/// The memory of argon2. It grows as needed and is reused, so that consecutive hashes take the memory of one.
#[derive(Default)]
pub struct Workspace(Vec<Block>);

impl Workspace {
    fn hash(
        &mut self,
        argon2: &Argon2<'_>,
        password: &SecretString,
        salt: &[u8],
    ) -> Result<Output, HashError> {
        let params = argon2.params();
        let blocks = params.block_count();
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::new());
        }
        let memory = self.0.get_mut(..blocks).unwrap_or_default();
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let mut out = [0; Output::MAX_LENGTH];
        let out = out
            .get_mut(..length)
            .ok_or_else(|| failed("the stored hash is too long"))?;
        let password = password.expose_secret().as_bytes();
        argon2
            .hash_password_into_with_memory(password, salt, out, memory)
            .map_err(failed)?;
        Output::new(out).map_err(failed)
    }
}

/// Hashes a password into a PHC string.
///
/// # Errors
///
/// [`HashError`] for a password beyond argon2's own limits.
pub fn hash(
    password: &SecretString,
    entropy: &dyn Entropy,
    workspace: &mut Workspace,
) -> Result<String, HashError> {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(failed)?;
    let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params).map_err(failed)?,
        salt: Some(Salt::new(&salt).map_err(failed)?),
        hash: Some(workspace.hash(&Argon2::new(algorithm, version, params), password, &salt)?),
    };
    Ok(hash.to_string())
}

/// Checks a password against a PHC string; compares in constant time.
///
/// # Errors
///
/// [`HashError`] if the stored text is not a hash that this service would have written.
pub fn verify(
    password: &SecretString,
    stored: &str,
    workspace: &mut Workspace,
) -> Result<PasswordVerdict, HashError> {
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
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(failed)?;
    let version = hash.version.map(Version::try_from).transpose();
    let version = version.map_err(failed)?.unwrap_or_default();
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return Err(failed("the stored hash has no salt, or is none"));
    };
    let found = workspace.hash(&Argon2::new(algorithm, version, params), password, salt)?;
    // Compares in constant time.
    Ok(if found == *expected {
        PasswordVerdict::Right { is_weak }
    } else {
        PasswordVerdict::Wrong
    })
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    use super::*;
    use charter_domain::entropy::OsEntropy;

    #[test]
    fn the_right_password_is_told_from_others() {
        let right = SecretString::from("correct horse");
        let mut workspace = Workspace::default();
        let stored = hash(&right, &OsEntropy, &mut Workspace::default()).expect("hashed");
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert_eq!(
            verify(&right, &stored, &mut workspace).expect("read"),
            PasswordVerdict::Right { is_weak: false }
        );
        let wrong = SecretString::from("correct horsf");
        assert_eq!(
            verify(&wrong, &stored, &mut workspace).expect("read"),
            PasswordVerdict::Wrong
        );
        assert_ne!(
            hash(&right, &OsEntropy, &mut Workspace::default()).expect("hashed"),
            stored
        );
    }

    #[test]
    fn a_weaker_hash_is_noticed_and_an_absurd_one_refused() {
        let password = SecretString::from("correct horse");
        let mut workspace = Workspace::default();
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
            let verdict = verify(&password, &stored, &mut workspace).expect("read");
            assert_eq!(
                verdict,
                PasswordVerdict::Right { is_weak },
                "{memory} {passes}"
            );
        }
        let good = hash(&password, &OsEntropy, &mut workspace).expect("hashed");
        for absurd in [
            good.replace("m=19456", "m=4194304"),
            good.replace("t=2", "t=1000000"),
            good.replace("argon2id", "scrypt"),
            good.replace("$argon2id", ""),
            String::new(),
        ] {
            assert!(
                verify(&password, &absurd, &mut workspace).is_err(),
                "`{absurd}` was taken"
            );
        }
    }

    #[test]
    fn hashes_are_those_of_the_library() {
        let password = SecretString::from("correct horse");
        let mut workspace = Workspace::default();
        // Larger and smaller ones before leave nothing behind that matters.
        for (memory, lanes) in [(MEMORY, 1), (8192, 2), (MEMORY + 64, 4), (64, 1)] {
            for algorithm in [Algorithm::Argon2id, Algorithm::Argon2i, Algorithm::Argon2d] {
                let params = Params::new(memory, 2, lanes, Some(24)).expect("parameters");
                let stored = Argon2::new(algorithm, Version::V0x10, params)
                    .hash_password_with_salt(b"correct horse", &[7; 16])
                    .expect("hashed")
                    .to_string();
                let verdict = verify(&password, &stored, &mut workspace).expect("read");
                assert_eq!(
                    verdict,
                    PasswordVerdict::Right { is_weak: true },
                    "{stored}"
                );
            }
        }
        let stored = hash(&password, &OsEntropy, &mut workspace).expect("hashed");
        let read = PasswordHash::new(&stored).expect("a PHC string");
        assert_eq!(
            Argon2::default().verify_password(b"correct horse", &read),
            Ok(())
        );
    }
}
