//! The kinds of request that a schema allows: which type of principal asks for what about which
//! type of resource. A proof is one for each of them.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicySet, PrincipalConstraint, RequestEnv,
    ResourceConstraint, Schema,
};
use cedar_policy_symcc::solver::WriterSolver;
use cedar_policy_symcc::{
    CedarSymCompiler, CompiledPolicy, CompiledPolicySet, CompiledSchema, SymEnv,
    always_denies_asserts,
};

use super::counterexample::World;
use super::possible;
use super::solver::at_once;

/// One kind of request, ready to be asked about.
pub(super) struct RequestType<'s> {
    schema: &'s Schema,
    env: RequestEnv,
    symbols: SymEnv,
    /// The action and the groups that it is in.
    actions: BTreeSet<EntityUid>,
    plain: OnceLock<Option<World>>,
}

impl<'s> RequestType<'s> {
    /// All of a schema, sorted.
    pub(super) fn all(schema: &'s Schema) -> Result<Vec<Self>, String> {
        let hierarchy = schema
            .action_entities()
            .map_err(|error| error.to_string())?;
        let compiled = CompiledSchema::new(schema).map_err(|error| error.to_string())?;
        let mut all = schema
            .request_envs()
            .map(|env| {
                let actions = hierarchy
                    .ancestors(env.action())
                    .into_iter()
                    .flatten()
                    .chain([env.action()])
                    .cloned()
                    .collect();
                Ok(Self {
                    symbols: possible::restrict(
                        compiled.sym_env(&env).map_err(|error| error.to_string())?,
                        env.principal(),
                    )?,
                    schema,
                    env,
                    actions,
                    plain: OnceLock::new(),
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        all.sort_by_cached_key(Self::key);
        Ok(all)
    }

    /// The same in two schemas for the same kind of request.
    pub(super) fn key(&self) -> (String, String, String) {
        (
            self.permission().to_owned(),
            self.env.principal().to_string(),
            self.env.resource().to_string(),
        )
    }

    /// The name of the action.
    pub(super) fn permission(&self) -> &str {
        self.env.action().id().unescaped()
    }

    /// As people say it.
    pub(super) fn title(&self) -> String {
        format!(
            "{} asks for {} about {}",
            self.env.principal(),
            self.permission(),
            self.env.resource()
        )
    }

    /// The action and the groups that it is in.
    pub(super) const fn actions(&self) -> &BTreeSet<EntityUid> {
        &self.actions
    }

    /// Whether the scope leaves it open that the policy matches. What the scope rules out here, it
    /// rules out for each request of this kind; the rest is for the typechecker and the solver.
    pub(super) fn may_match(&self, policy: &Policy) -> bool {
        let action = match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => action == *self.env.action(),
            ActionConstraint::In(groups) => groups.iter().any(|group| self.actions.contains(group)),
        };
        action
            && match policy.principal_constraint() {
                PrincipalConstraint::Any | PrincipalConstraint::In(_) => true,
                PrincipalConstraint::Eq(uid) => uid.type_name() == self.env.principal(),
                PrincipalConstraint::Is(name) | PrincipalConstraint::IsIn(name, _) => {
                    name == *self.env.principal()
                }
            }
            && match policy.resource_constraint() {
                ResourceConstraint::Any | ResourceConstraint::In(_) => true,
                ResourceConstraint::Eq(uid) => uid.type_name() == self.env.resource(),
                ResourceConstraint::Is(name) | ResourceConstraint::IsIn(name, _) => {
                    name == *self.env.resource()
                }
            }
    }

    pub(super) fn compile(&self, policy: &Policy) -> Result<Arc<CompiledPolicy>, String> {
        CompiledPolicy::compile_with_custom_symenv(
            policy,
            &self.env,
            self.schema,
            self.symbols.clone(),
        )
        .map(Arc::new)
        .map_err(|error| error.to_string())
    }

    pub(super) fn compile_set(
        &self,
        policies: &PolicySet,
    ) -> Result<Arc<CompiledPolicySet>, String> {
        CompiledPolicySet::compile_with_custom_symenv(
            policies,
            &self.env,
            self.schema,
            self.symbols.clone(),
        )
        .map(Arc::new)
        .map_err(|error| error.to_string())
    }

    /// Some request of this kind: with one entity of each type that is involved.
    pub(super) fn plain_world(&self) -> Option<&World> {
        self.plain
            .get_or_init(|| {
                let everything = PolicySet::from_policies([permit_all().ok()?]).ok()?;
                let everything = self.compile_set(&everything).ok()?;
                // That it denies everything is wrong in every world, so that no solver is asked.
                let mut compiler = CedarSymCompiler::new(WriterSolver { w: Vec::new() }).ok()?;
                let found = at_once(compiler.check_sat(&always_denies_asserts(&everything)));
                World::of(&found.ok()??)
            })
            .as_ref()
    }
}

/// Allows everything.
pub(super) fn permit_all() -> Result<Policy, String> {
    Policy::parse(None, "permit (principal, action, resource);").map_err(|error| error.to_string())
}
