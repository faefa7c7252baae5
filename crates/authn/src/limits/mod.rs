//! How often passwords may be tried: by strangers for each client network in a sliding window, and for
//! each account a wait that doubles (contract section 5); networks that know its password have one of
//! their own. Who is known already, by a device cookie or a session, has its own and no other limit,
//! so that no stranger's guesses keep it out.
//!
//! An attempt that is under way holds a place as if it were to fail, so that a burst of parallel
//! guesses gets no more of them than the same guesses one by one. Whoever finds no place but no
//! limit either waits for one.

mod gate;
mod known;
pub mod rate_limit;
mod sign_in;
#[cfg(test)]
mod stopped_clock;
mod window;

pub use gate::NoPlace;
pub use sign_in::{Attempt, KnownClient, SignInAttempts};
pub use window::{Exceeded, NetworkLimit, SlidingLimit, network, site};
