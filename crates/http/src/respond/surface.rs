//! The two published APIs (contract sections 4 and 5).

use super::{ApiError, ErrorType};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// For programs. Invalid values are 422.
    Machine,
    /// For users. It has no 422: invalid values are 400.
    Portal,
}

impl Surface {
    /// The surface of a path.
    pub fn of(path: &str) -> Self {
        if path.starts_with("/api/") {
            Self::Portal
        } else {
            Self::Machine
        }
    }
}

impl ApiError {
    /// The error in this surface's form (contract section 2).
    #[must_use]
    pub fn on(mut self, surface: Surface) -> Self {
        if surface == Surface::Portal && self.0.error_type == ErrorType::ValidationFailed {
            self.0.error_type = ErrorType::InvalidRequest;
        }
        self
    }
}
