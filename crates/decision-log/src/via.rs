//! What a decision was made for.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A request that acts on the decision.
    Request,
    /// The evaluation endpoint, which does not act on it.
    Evaluation,
    /// A gateway, which lets a request through or not.
    ForwardAuth,
}

/// The `via` of decisions that nobody was about to act upon here.
pub const EVALUATION: &str = "evaluation";

impl Via {
    /// The `via` member of a line.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Request => None,
            Self::Evaluation => Some(EVALUATION),
            Self::ForwardAuth => Some("forward_auth"),
        }
    }
}
