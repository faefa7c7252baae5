//! The decision log: a chain of files with a line for each decision.
//!
//! Requests queue their decisions; a thread writes them. A decision that is not written either fails its request
//! or is counted, never silently lost (docs/decision-log.md).

mod chain;
mod config;
mod context_cache;
mod decision_log;
mod definitions;
mod denials;
mod direction;
mod domain_cases;
mod domain_decision;
mod domain_parts;
mod expand;
mod file_index;
mod files;
mod find;
mod findings;
mod head;
mod id_generator;
mod line_body;
mod line_parts;
mod line_renderer;
mod list;
mod list_lines;
mod log_entry;
mod log_file;
mod lookup;
mod mask;
mod metric_counts;
mod open_error;
mod opening;
mod queue;
mod record;
mod record_list;
mod recorder;
pub mod reevaluation;
mod rendered_parts;
mod retention;
mod sampling;
mod shadow;
mod status;
mod tail;
mod verify;
mod via;
mod writer;
mod written_files;

pub use chain::{Chain, LogKey};
pub use charter_authz::json::Uid;
pub use config::{Clocks, Config, Overflow, RotationLimits};
pub use decision_log::DecisionLog;
pub use direction::Direction;
pub use domain_decision::{DomainAsker, DomainDecision};
pub use expand::{DefinitionReader, DeterminedBy, LogLine};
pub use findings::{LocatedFinding, LogFinding, VerificationReport};
pub use list::{DecisionFilter, DecisionPage, DecisionQuery, ListedDecision, LogPosition};
pub use lookup::{DecisionLookup, LogDirectory};
pub use mask::{Mask, MaskStyle, UnknownField};
pub use open_error::OpenError;
pub use record::{DecisionRecord, RecordedError};
pub use record_list::{MalformedPosition, RecordFilter, RecordPage, files_since};
pub use recorder::{DecisionContext, NotRecorded, RecordedDecision, Recorder};
pub use shadow::ShadowPolicies;
pub use status::{Status, WriterStatus};
pub use verify::verify;
pub use via::{EVALUATION, Via};
