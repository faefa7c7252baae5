//! Limits on requests: of anonymous clients by network and account (contract section 5), of credentials by rate.
//!
//! Actions are counted in sliding windows. Failed sign-ins are limited for each network, and for each account by a wait
//! that doubles; networks that know its password have a wait of their own. Clients known by a device cookie or a
//! session have only a limit of their own, so that others' guesses cannot lock them out.
//!
//! An attempt in progress counts as a failure, so that concurrent guesses get no more than sequential ones. An attempt
//! waits while only attempts in progress exceed the limit.

mod anonymous;
mod attempt_queues;
mod failures;
mod in_process;
mod known_networks;
pub mod rate_limit;
mod rate_shares;
mod shared;
mod shared_places;
#[cfg(test)]
pub(crate) mod stopped_clock;
#[cfg(test)]
mod tests;
mod window;

pub use anonymous::{AnonymousLimits, AttemptError, KnownClient, LimitedAction, SignInAttempt};
pub use in_process::{InProcessLimits, LimitsConfig};
pub use shared::SharedLimits;
pub use window::{Exceeded, network, site};
