//! Claims as they are put to the solver, whole, so that another thread can be given one.

use std::sync::Arc;

use cedar_policy_symcc::{
    CompiledPolicy, CompiledPolicySet, WellFormedAsserts, always_denies_asserts, implies_asserts,
    never_errors_asserts, never_matches_asserts,
};

/// A claim about all requests of one kind.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    /// The policy can be evaluated.
    NeverErrors(Arc<CompiledPolicy>),
    /// The policy matches none.
    NeverMatches(Arc<CompiledPolicy>),
    /// The set allows none.
    AlwaysDenies(Arc<CompiledPolicySet>),
    /// What the first set allows, the second does, too.
    Implies(Arc<CompiledPolicySet>, Arc<CompiledPolicySet>),
}

impl Question {
    /// Formulas that nothing makes true at once if the claim holds.
    pub(super) fn formulas(&self) -> WellFormedAsserts<'_> {
        match self {
            Self::NeverErrors(policy) => never_errors_asserts(policy),
            Self::NeverMatches(policy) => never_matches_asserts(policy),
            Self::AlwaysDenies(set) => always_denies_asserts(set),
            Self::Implies(set, within) => implies_asserts(set, within),
        }
    }

    /// Whether the claim holds as far as that shows without the solver.
    pub(super) fn is_trivial(&self) -> bool {
        let formulas = self.formulas();
        formulas.asserts().iter().any(|term| *term == false.into())
    }
}
