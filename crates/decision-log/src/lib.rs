//! The decision log: every answer of policy, allowed or not, as a line of a chain of files.
//!
//! A request hands its decision over and goes on; a thread of its own writes. What is not written
//! is either not acted upon or counted, never silently lost (docs/decision-log.md).

pub mod again;
mod body;
mod chain;
mod config;
mod counts;
mod decision_log;
mod definitions;
mod direction;
mod entry;
mod expand;
mod files;
mod find;
mod findings;
mod fragments;
mod head;
mod ids;
mod index;
mod line;
mod log_file;
mod mask;
mod open;
mod open_error;
mod placed;
mod queue;
mod read;
mod recorder;
mod retention;
mod sampling;
mod shadow;
mod status;
mod tail;
mod verify;
mod via;
mod writer;

pub use chain::{Chain, LogKey};
pub use charter_authz::json::Uid;
pub use config::{Clocks, Config, Limits, Overflow};
pub use decision_log::DecisionLog;
pub use direction::Direction;
pub use expand::{Definitions, Line};
pub use find::find;
pub use findings::{Finding, Located, Report};
pub use mask::{Mask, MaskStyle, UnknownField};
pub use open_error::OpenError;
pub use read::{Record, RecordedError};
pub use recorder::{Asker, Decided, NotRecorded, Recorder};
pub use shadow::Shadow;
pub use status::{Status, WriterStatus};
pub use verify::verify;
pub use via::Via;
