//! What each organization may use of what everybody pays for: memory, disk, processor, mail.
//!
//! Who exceeds its share is refused (429), alone. Each process counts for itself, and a restart
//! forgets (ADR 0019). It knows nothing of what is charged, nor of HTTP.

mod budgets;
mod meter;
mod near;
mod resource;
mod share;

pub use budgets::{Budgets, Exhausted, Hold};
pub use near::{Near, nearest};
pub use resource::Resource;
pub use share::Share;
