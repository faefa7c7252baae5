//! A policy's parts: its scope constraints and the single conditions of its clauses, each with its
//! text and location. Used by coverage and explanations.
//!
//! The parts are Cedar's own expressions, and only Cedar evaluates them.

pub mod evaluate;
pub mod inspection;
pub mod operands;
mod text;

use cedar_policy::{Effect, Expression, Policy, PolicyId};
use cedar_policy_core::ast::{
    ActionConstraint, Expr, ExprKind, PrincipalConstraint, PrincipalOrResourceConstraint,
    ResourceConstraint, UnaryOp,
};
use cedar_policy_core::parser::Loc;

/// Longer texts are truncated.
const MAX_TEXT: usize = 240;

/// A policy, split into its parts.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// Its `@id`.
    pub policy: PolicyId,
    /// Its effect.
    pub effect: Effect,
    /// The constraints on principal, action and resource, in this order. Unconstrained variables
    /// are omitted.
    pub scope: Vec<ScopeConstraint>,
    /// Its `when` and `unless` clauses, in order.
    pub clauses: Vec<Clause>,
}

/// The variable that a scope constraint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Variable {
    /// Who asks.
    Principal,
    /// What is asked for.
    Action,
    /// What it is asked about.
    Resource,
}

/// A constraint of the scope.
#[derive(Debug, Clone)]
pub struct ScopeConstraint {
    /// The constrained variable.
    pub variable: Variable,
    /// The constraint.
    pub part: ConditionPart,
}

/// The kind of a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Keyword {
    /// It must be true.
    When,
    /// It must be false.
    Unless,
}

/// A `when` or `unless` clause.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Whether the condition must be true or false.
    pub keyword: Keyword,
    /// The condition between the braces.
    pub condition: Condition,
}

/// A condition, split at `&&`, `||` and `!`.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Anything else.
    Single(Box<ConditionPart>),
    /// A conjunction, evaluated in order until one operand is false.
    All(Vec<Condition>),
    /// A disjunction, evaluated in order until one operand is true.
    Any(Vec<Condition>),
    /// A negation.
    Not(Box<Condition>),
}

/// An expression with its text and location.
#[derive(Debug, Clone)]
pub struct ConditionPart {
    expression: Expression,
    text: TextSource,
    loc: Option<Loc>,
}

/// Rendered on demand: of thousands of policies few are shown.
#[derive(Debug, Clone)]
enum TextSource {
    /// The source text at the location.
    Written,
    /// Rendered by Cedar, because the expression does not occur in the source.
    Made,
    Principal(PrincipalConstraint),
    Action(ActionConstraint),
    Resource(ResourceConstraint),
}

impl Conditions {
    /// Splits a policy into its parts.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let ast = policy.as_ref();
        let mut scope = Vec::new();
        let principal = ast.principal_constraint();
        if *principal.as_inner() != PrincipalOrResourceConstraint::Any {
            let loc = loc_of_constraint(principal.as_inner());
            let expr = principal.as_expr();
            scope.push(ScopeConstraint {
                variable: Variable::Principal,
                part: ConditionPart::of_scope(expr, TextSource::Principal(principal), loc),
            });
        }
        scope.extend(Self::action_constraint_of(policy));
        let resource = ast.resource_constraint();
        if *resource.as_inner() != PrincipalOrResourceConstraint::Any {
            let loc = loc_of_constraint(resource.as_inner());
            let expr = resource.as_expr();
            scope.push(ScopeConstraint {
                variable: Variable::Resource,
                part: ConditionPart::of_scope(expr, TextSource::Resource(resource), loc),
            });
        }
        let mut clauses = Vec::new();
        if let Some(condition) = ast.non_scope_constraints() {
            split_clauses(condition, ast.loc(), &mut clauses);
        }
        Self {
            policy: policy.id().clone(),
            effect: policy.effect(),
            scope,
            clauses,
        }
    }

    /// The scope's constraint on the action.
    pub(super) fn action_constraint_of(policy: &Policy) -> Option<ScopeConstraint> {
        let action = policy.as_ref().action_constraint();
        if *action == ActionConstraint::Any {
            return None;
        }
        let loc = action.iter_euids().find_map(|uid| uid.loc().cloned());
        Some(ScopeConstraint {
            variable: Variable::Action,
            part: ConditionPart::of_scope(
                action.as_expr(),
                TextSource::Action(action.clone()),
                loc,
            ),
        })
    }

    /// The single conditions of all clauses, in order, each with its clause's keyword.
    #[must_use]
    pub fn parts(&self) -> Vec<(Keyword, &ConditionPart)> {
        let mut singles = Vec::new();
        for clause in &self.clauses {
            clause
                .condition
                .for_each_part(&mut |part| singles.push((clause.keyword, part)));
        }
        singles
    }
}

impl Condition {
    fn of(expr: &Expr) -> Self {
        match expr.expr_kind() {
            ExprKind::And { .. } => {
                let mut operands = Vec::new();
                flatten(expr, &operands_of_and, &mut operands);
                Self::All(operands)
            }
            ExprKind::Or { .. } => {
                let mut operands = Vec::new();
                flatten(expr, &operands_of_or, &mut operands);
                Self::Any(operands)
            }
            ExprKind::UnaryApp {
                op: UnaryOp::Not,
                arg,
            } => match Self::of(arg) {
                // `!a` is easier to read than "`a` must be false".
                Self::Single(_) => Self::Single(Box::new(ConditionPart::new(expr))),
                joined => Self::Not(Box::new(joined)),
            },
            _ => Self::Single(Box::new(ConditionPart::new(expr))),
        }
    }

    fn for_each_part<'a>(&'a self, see: &mut impl FnMut(&'a ConditionPart)) {
        match self {
            Self::Single(part) => see(part),
            Self::All(operands) | Self::Any(operands) => {
                for operand in operands {
                    operand.for_each_part(see);
                }
            }
            Self::Not(operand) => operand.for_each_part(see),
        }
    }
}

impl ConditionPart {
    fn new(expr: &Expr) -> Self {
        Self {
            loc: expr.source_loc().cloned(),
            expression: Expression::from(expr.clone()),
            text: TextSource::Written,
        }
    }

    fn of_scope(expr: Expr, text: TextSource, loc: Option<Loc>) -> Self {
        Self {
            expression: Expression::from(expr),
            text,
            loc,
        }
    }

    /// The source text on one line, without comments.
    #[must_use]
    pub fn text(&self) -> String {
        let written = self.loc.as_ref().and_then(Loc::snippet);
        let text = match (&self.text, written) {
            (TextSource::Written, Some(written)) => text::on_one_line(written),
            (TextSource::Written, None) | (TextSource::Made, _) => self.expr().to_string(),
            (TextSource::Principal(constraint), _) => constraint.to_string(),
            (TextSource::Action(constraint), _) => constraint.to_string(),
            (TextSource::Resource(constraint), _) => constraint.to_string(),
        };
        text::shortened(text, MAX_TEXT)
    }

    fn expr(&self) -> &Expr {
        self.expression.as_ref()
    }

    /// The line in its file on which it begins, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.loc.as_ref().map(line_of)
    }
}

fn line_of(loc: &Loc) -> usize {
    let before = loc.src.as_bytes().get(..loc.start()).unwrap_or_default();
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// Only the types and entities of a constraint have a location.
fn loc_of_constraint(constraint: &PrincipalOrResourceConstraint) -> Option<Loc> {
    use cedar_policy_core::ast::EntityReference::EUID;

    match constraint {
        PrincipalOrResourceConstraint::Is(entity_type)
        | PrincipalOrResourceConstraint::IsIn(entity_type, _) => entity_type.loc().cloned(),
        PrincipalOrResourceConstraint::In(EUID(uid))
        | PrincipalOrResourceConstraint::Eq(EUID(uid)) => uid.loc().cloned(),
        _ => None,
    }
}

/// Cedar joins clauses by a right-nested `&&` located at the policy, and turns `unless` into a
/// negation located at the keyword.
fn split_clauses(condition: &Expr, policy: Option<&Loc>, clauses: &mut Vec<Clause>) {
    let is_joint = policy.is_some() && condition.source_loc() == policy;
    if let (true, Some((first, rest))) = (is_joint, operands_of_and(condition)) {
        split_clauses(first, policy, clauses);
        split_clauses(rest, policy, clauses);
        return;
    }
    let begins_with_unless = condition
        .source_loc()
        .and_then(Loc::snippet)
        .is_some_and(|text| text.starts_with("unless"));
    clauses.push(match condition.expr_kind() {
        ExprKind::UnaryApp {
            op: UnaryOp::Not,
            arg,
        } if begins_with_unless => Clause {
            keyword: Keyword::Unless,
            condition: Condition::of(arg),
        },
        _ => Clause {
            keyword: Keyword::When,
            condition: Condition::of(condition),
        },
    });
}

type SplitOperands = dyn Fn(&Expr) -> Option<(&Expr, &Expr)>;

fn operands_of_and(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr.expr_kind() {
        ExprKind::And { left, right } => Some((left, right)),
        _ => None,
    }
}

fn operands_of_or(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr.expr_kind() {
        ExprKind::Or { left, right } => Some((left, right)),
        _ => None,
    }
}

/// `(a && b) && (c && d)` is evaluated in the order a, b, c, d, as is the flat list.
fn flatten(expr: &Expr, operands: &SplitOperands, into: &mut Vec<Condition>) {
    match operands(expr) {
        Some((left, right)) => {
            flatten(left, operands, into);
            flatten(right, operands, into);
        }
        None => into.push(Condition::of(expr)),
    }
}
