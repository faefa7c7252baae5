//! What requests share, and the work that outlives them.

mod replicas;
mod revisions;
mod searches;
mod shared;
mod store_health;
mod tasks;

pub use replicas::Replicas;
pub use revisions::Revisions;
pub use searches::{NoPermit, SearchPermit, Searches};
pub use shared::{ProvideState, State};
pub use store_health::StoreHealth;
pub use tasks::Tasks;
