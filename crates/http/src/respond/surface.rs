//! The two published APIs over one organization store (contract sections 4 and 5).

use super::{ApiError, ErrorType};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Programs. A value that breaks a rule is answered by 422.
    Machine,
    /// People. It has no 422: such a value is answered by 400.
    Portal,
}

impl Surface {
    /// The one that a path belongs to.
    pub fn of(path: &str) -> Self {
        if path.starts_with("/api/") {
            Self::Portal
        } else {
            Self::Machine
        }
    }
}

impl ApiError {
    /// The error as this surface answers it (contract section 2).
    #[must_use]
    pub fn on(mut self, surface: Surface) -> Self {
        if surface == Surface::Portal && self.0.error_type == ErrorType::ValidationFailed {
            self.0.error_type = ErrorType::InvalidRequest;
        }
        self
    }
}
