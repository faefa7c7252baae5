//! Counterexamples: confirmed by evaluation, minimised and rendered as text.

mod content;
mod literals;
mod minimise;
mod scenario;
mod text;

use cedar_policy::Schema;
use cedar_policy_symcc::Env;

pub use content::{Counterexample, EntityState, LocatedPolicy};
pub(super) use minimise::Predicate;
pub(super) use scenario::{Scenario, has_missing_data};

/// The smallest scenario like the solver's that demonstrates the finding; `None` if the solver's
/// own does not.
pub(super) fn reproduce(env: &Env, schema: &Schema, shows: Predicate<'_>) -> Option<Scenario> {
    minimise::minimise(Scenario::of(env)?, schema, shows)
}
