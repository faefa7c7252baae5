//! Secrets: sealed secrets, passwords, tokens, device cookies.

pub mod access_token;
mod cursor;
pub mod device;
mod ed25519;
pub mod opaque_token;
pub mod password;
pub mod password_pool;
mod sealer;

pub use cursor::{CursorPosition, CursorSealer};
pub use sealer::{Binding, SealError, Sealer, mint_access_key, mint_secret};
