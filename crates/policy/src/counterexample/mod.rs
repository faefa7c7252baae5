//! A request that shows that a claim is wrong: tried out by evaluation before anybody is told,
//! small, and in words.

mod minimise;
mod shown;
mod text;
mod world;
mod written;

use cedar_policy::Schema;
use cedar_policy_symcc::Env;

pub(super) use minimise::Shows;
pub use shown::{Counterexample, Named, Thing};
pub(super) use world::{World, lacks_something};

/// The smallest world like the solver's that shows it; `None` if the solver's own does not.
pub(super) fn reproduce(env: &Env, schema: &Schema, shows: Shows<'_>) -> Option<World> {
    minimise::minimise(World::of(env)?, schema, shows)
}
