//! What a decision was made for.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A request that acts on the decision.
    Request,
    /// The evaluation endpoint, which does not act on it.
    Evaluation,
}

impl Via {
    /// The `via` member of a line.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Request => None,
            Self::Evaluation => Some("evaluation"),
        }
    }
}
