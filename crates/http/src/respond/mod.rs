//! Responses and errors: the only place that maps errors of other crates to status codes.

pub mod answer;
pub mod caching;
mod challenge;
mod code;
mod detail;
mod error;
pub mod error_document;
pub mod etag;
mod from_budgets;
mod from_decision_log;
mod from_policy;
mod from_portal_user;
mod from_rejection;
mod from_store;
pub mod headers;
pub mod listed;
pub mod paged;
pub mod redirect;
mod refusals;
mod retry_after;
mod surface;

pub use challenge::Challenge;
pub use code::{Code, ErrorType};
pub(crate) use detail::printable;
pub use detail::{Detail, echo};
pub use error::ApiError;
pub(crate) use error::ResponseErrorCode;
pub use surface::Surface;
