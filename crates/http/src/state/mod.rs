//! What requests share, and the work that outlives them.

mod access_records;
mod domains;
mod policy_tools;
mod reported_fault;
mod revisions;
mod searches;
mod shared;
mod store_health;
mod tasks;
mod turns;
mod workbench;

pub use access_records::AccessRecords;
pub(crate) use access_records::principal_kind;
pub use domains::{DomainState, Domains};
pub use policy_tools::{Busy, FolderRefusal, JobEvent, PolicyJob, PolicyTools};
pub use reported_fault::ReportedFault;
pub use revisions::Revisions;
pub use searches::{NoPermit, SearchPermit, Searches};
pub use shared::{ProvideState, SharedState, State};
pub use store_health::StoreHealth;
pub use tasks::Tasks;
pub use turns::Turns;
pub use workbench::Workbench;
