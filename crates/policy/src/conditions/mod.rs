//! A policy's parts: what its scope asks for and the single conditions of its clauses, each with
//! its text and place. One splitter for coverage and explanations.
//!
//! The parts are Cedar's own expressions and are evaluated by Cedar alone.

pub mod evaluate;
pub mod looked_at;
pub mod operands;
mod text;

use cedar_policy::{Effect, Expression, Policy, PolicyId};
use cedar_policy_core::ast::{
    ActionConstraint, Expr, ExprKind, PrincipalConstraint, PrincipalOrResourceConstraint,
    ResourceConstraint, UnaryOp,
};
use cedar_policy_core::parser::Loc;

/// Longer texts are cut: they are for reading.
const MAX_TEXT: usize = 240;

/// A policy, taken apart.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// Its `@id`.
    pub policy: PolicyId,
    /// What it does when all of it holds.
    pub effect: Effect,
    /// What it asks of principal, action and resource, in this order; what it leaves open is not
    /// there.
    pub scope: Vec<ScopePart>,
    /// Its `when` and `unless` clauses, in order.
    pub clauses: Vec<Clause>,
}

/// Which variable a part of the scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Variable {
    /// Who asks.
    Principal,
    /// For what.
    Action,
    /// About what.
    Resource,
}

/// What the scope asks of one variable.
#[derive(Debug, Clone)]
pub struct ScopePart {
    /// Which.
    pub variable: Variable,
    /// What is asked of it.
    pub part: Part,
}

/// How a clause counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Keyword {
    /// It must be true.
    When,
    /// It must be false.
    Unless,
}

/// One clause.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Whether it must be true or false.
    pub keyword: Keyword,
    /// What stands between its braces.
    pub condition: Condition,
}

/// An expression as `&&`, `||` and `!` join it; whatever else it is made of, Cedar alone looks at.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A single one.
    Single(Box<Part>),
    /// True if all are; looked at in order, until one is false.
    All(Vec<Condition>),
    /// True if one is; looked at in order, until one is true.
    Any(Vec<Condition>),
    /// True if the other is false.
    Not(Box<Condition>),
}

/// An expression, its text and its place.
#[derive(Debug, Clone)]
pub struct Part {
    expression: Expression,
    text: Text,
    loc: Option<Loc>,
}

/// Written out only when it is asked for: of thousands of policies few are shown.
#[derive(Debug, Clone)]
enum Text {
    /// As it stands at its place.
    Written,
    /// As Cedar writes the expression: it does not stand there as such.
    Made,
    Principal(PrincipalConstraint),
    Action(ActionConstraint),
    Resource(ResourceConstraint),
}

impl Conditions {
    /// Takes a policy apart.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let ast = policy.as_ref();
        let mut scope = Vec::new();
        let principal = ast.principal_constraint();
        if *principal.as_inner() != PrincipalOrResourceConstraint::Any {
            let loc = loc_of_constraint(principal.as_inner());
            let expr = principal.as_expr();
            scope.push(ScopePart {
                variable: Variable::Principal,
                part: Part::of_scope(expr, Text::Principal(principal), loc),
            });
        }
        scope.extend(Self::asked_of_action(policy));
        let resource = ast.resource_constraint();
        if *resource.as_inner() != PrincipalOrResourceConstraint::Any {
            let loc = loc_of_constraint(resource.as_inner());
            let expr = resource.as_expr();
            scope.push(ScopePart {
                variable: Variable::Resource,
                part: Part::of_scope(expr, Text::Resource(resource), loc),
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

    /// What a policy's scope asks of the action.
    pub(super) fn asked_of_action(policy: &Policy) -> Option<ScopePart> {
        let action = policy.as_ref().action_constraint();
        if *action == ActionConstraint::Any {
            return None;
        }
        let loc = action.iter_euids().find_map(|uid| uid.loc().cloned());
        Some(ScopePart {
            variable: Variable::Action,
            part: Part::of_scope(action.as_expr(), Text::Action(action.clone()), loc),
        })
    }

    /// The single conditions of all clauses, in order, each with its clause's keyword.
    #[must_use]
    pub fn singles(&self) -> Vec<(Keyword, &Part)> {
        let mut singles = Vec::new();
        for clause in &self.clauses {
            clause
                .condition
                .visit(&mut |part| singles.push((clause.keyword, part)));
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
                // `!a` reads better than to be told that `a` must be false.
                Self::Single(_) => Self::Single(Box::new(Part::new(expr))),
                joined => Self::Not(Box::new(joined)),
            },
            _ => Self::Single(Box::new(Part::new(expr))),
        }
    }

    /// Its single conditions, in order.
    fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Part)) {
        match self {
            Self::Single(part) => see(part),
            Self::All(operands) | Self::Any(operands) => {
                for operand in operands {
                    operand.visit(see);
                }
            }
            Self::Not(operand) => operand.visit(see),
        }
    }
}

impl Part {
    fn new(expr: &Expr) -> Self {
        Self {
            loc: expr.source_loc().cloned(),
            expression: Expression::from(expr.clone()),
            text: Text::Written,
        }
    }

    fn of_scope(expr: Expr, text: Text, loc: Option<Loc>) -> Self {
        Self {
            expression: Expression::from(expr),
            text,
            loc,
        }
    }

    /// Its text on one line, as it was written, without comments.
    #[must_use]
    pub fn text(&self) -> String {
        let written = self.loc.as_ref().and_then(Loc::snippet);
        let text = match (&self.text, written) {
            (Text::Written, Some(written)) => text::one_line(written),
            (Text::Written, None) | (Text::Made, _) => self.expr().to_string(),
            (Text::Principal(constraint), _) => constraint.to_string(),
            (Text::Action(constraint), _) => constraint.to_string(),
            (Text::Resource(constraint), _) => constraint.to_string(),
        };
        text::shortened(text, MAX_TEXT)
    }

    fn expr(&self) -> &Expr {
        self.expression.as_ref()
    }

    /// The line of its file that it begins on, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.loc.as_ref().map(line_of)
    }
}

fn line_of(loc: &Loc) -> usize {
    let before = loc.src.as_bytes().get(..loc.start()).unwrap_or_default();
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// Types and entities know where they stand, the constraint as a whole does not.
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

/// Cedar joins the clauses by an `&&` that it places at the policy, to the right of the first, and
/// makes an `unless` a negation that is placed at the word.
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

type Operands = dyn Fn(&Expr) -> Option<(&Expr, &Expr)>;

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

/// `(a && b) && (c && d)` is looked at in the order a, b, c, d, and so is the flat list.
fn flatten(expr: &Expr, operands: &Operands, into: &mut Vec<Condition>) {
    match operands(expr) {
        Some((left, right)) => {
            flatten(left, operands, into);
            flatten(right, operands, into);
        }
        None => into.push(Condition::of(expr)),
    }
}
