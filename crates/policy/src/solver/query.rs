//! Queries for the solver, owned so that they can be sent to another thread.

use std::sync::Arc;

use cedar_policy_symcc::{
    CompiledPolicy, CompiledPolicySet, WellFormedAsserts, always_denies_asserts, implies_asserts,
    never_errors_asserts, never_matches_asserts,
};

/// A claim about all requests of one type.
#[derive(Debug, Clone)]
pub(crate) enum SolverQuery {
    /// The policy never fails to evaluate.
    NeverErrors(Arc<CompiledPolicy>),
    /// The policy never matches.
    NeverMatches(Arc<CompiledPolicy>),
    /// The set allows nothing.
    AlwaysDenies(Arc<CompiledPolicySet>),
    /// The second set allows everything that the first one allows.
    Implies(Arc<CompiledPolicySet>, Arc<CompiledPolicySet>),
}

impl SolverQuery {
    /// Formulas that are unsatisfiable if the claim holds.
    pub(super) fn assertions(&self) -> WellFormedAsserts<'_> {
        match self {
            Self::NeverErrors(policy) => never_errors_asserts(policy),
            Self::NeverMatches(policy) => never_matches_asserts(policy),
            Self::AlwaysDenies(set) => always_denies_asserts(set),
            Self::Implies(set, within) => implies_asserts(set, within),
        }
    }

    /// Whether the claim holds without asking the solver.
    pub(super) fn is_trivial(&self) -> bool {
        let formulas = self.assertions();
        formulas.asserts().iter().any(|term| *term == false.into())
    }
}
