//! Limits what each organization uses of shared resources: memory, disk, processor, email.
//!
//! An organization that exceeds a share gets 429; others are unaffected. Each process counts in memory (ADR 0019).
//! Knows nothing of the charged operations or of HTTP.

mod budgets;
mod exhausted;
mod meter;
mod near;
mod principals;
mod resource;
mod share;

pub use budgets::{Budgets, Hold};
pub use exhausted::{Exhausted, Holder};
pub use near::{Near, nearest};
pub use principals::Payer;
pub use resource::Resource;
pub use share::Share;
