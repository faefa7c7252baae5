//! Through what policy is asked.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Somebody who is about to act.
    Request,
    /// The evaluation endpoint: nothing is done here upon the answer.
    Evaluation,
}

impl Via {
    /// What a line says of it; nothing of what is asked in order to act.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Request => None,
            Self::Evaluation => Some("evaluation"),
        }
    }
}
