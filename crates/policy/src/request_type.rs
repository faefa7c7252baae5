//! The request types of a schema: principal type, action and resource type. Proofs are made for
//! each of them.

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

use super::counterexample::Scenario;
use super::request_constraints;
use super::solver::poll_to_completion;
use charter_domain::permission::Permission;

/// A request type, ready for symbolic compilation.
pub(super) struct RequestType<'s> {
    schema: &'s Schema,
    env: RequestEnv,
    symbols: SymEnv,
    /// The action and its groups.
    actions: BTreeSet<EntityUid>,
    plain: OnceLock<Option<Scenario>>,
}

impl<'s> RequestType<'s> {
    /// All request types of a schema, sorted.
    pub(super) fn all(schema: &'s Schema) -> Result<Vec<Self>, String> {
        // Another domain's requests come from its askers, with any context that its schema allows.
        let groups: BTreeSet<&EntityUid> = schema.action_groups().collect();
        let mut actions = schema.actions().filter(|action| !groups.contains(action));
        let is_of_service =
            actions.all(|action| action.id().unescaped().parse::<Permission>().is_ok());
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
                let symbols = compiled.sym_env(&env).map_err(|error| error.to_string())?;
                Ok(Self {
                    symbols: if is_of_service {
                        request_constraints::constrain_context(symbols, env.principal())?
                    } else {
                        symbols
                    },
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

    /// Identifies the request type across schemas.
    pub(super) fn key(&self) -> (String, String, String) {
        (
            self.permission().to_owned(),
            self.env.principal().to_string(),
            self.env.resource().to_string(),
        )
    }

    /// Name of the action.
    pub(super) fn permission(&self) -> &str {
        self.env.action().id().unescaped()
    }

    /// Description for reports.
    pub(super) fn title(&self) -> String {
        format!(
            "{} asks for {} about {}",
            self.env.principal(),
            self.permission(),
            self.env.resource()
        )
    }

    /// The action and its groups.
    pub(super) const fn actions(&self) -> &BTreeSet<EntityUid> {
        &self.actions
    }

    /// Whether the scope may match. A scope that does not fit rules the policy out for every
    /// request of this type; the rest is left to the typechecker and the solver.
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

    /// A request of this type, with one entity of each type involved.
    pub(super) fn sample_scenario(&self) -> Option<&Scenario> {
        self.plain
            .get_or_init(|| {
                let everything = PolicySet::from_policies([permit_all().ok()?]).ok()?;
                let everything = self.compile_set(&everything).ok()?;
                // The claim that everything is denied is false for every request, so no solver is
                // needed.
                let mut compiler = CedarSymCompiler::new(WriterSolver { w: Vec::new() }).ok()?;
                let found =
                    poll_to_completion(compiler.check_sat(&always_denies_asserts(&everything)));
                Scenario::of(&found.ok()??)
            })
            .as_ref()
    }
}

pub(super) fn permit_all() -> Result<Policy, String> {
    Policy::parse(None, "permit (principal, action, resource);").map_err(|error| error.to_string())
}
