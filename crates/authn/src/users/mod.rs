//! The user service: registration, sign-in, recovery (contract section 5). It knows nothing of cookies and status
//! codes.

mod anonymous_client;
mod batches;
mod bearer;
mod error;
mod guess;
mod invitation;
pub mod link_mails;
mod password_change;
mod recovery;
mod refresh;
mod refresh_limit;
mod refresh_tokens;
mod registration;
mod rotations;
mod service;
mod session_reads;
mod sign_in;
mod verification;

pub use anonymous_client::AnonymousClient;
pub use error::UserError;
pub use registration::NewOwner;
pub use service::{PortalUserParts, PortalUsers};
pub use sign_in::SignedIn;
pub use verification::Proof;
