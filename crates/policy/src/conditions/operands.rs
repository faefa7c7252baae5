//! Everything that can decide within a policy's conditions: single conditions, the test and
//! branches of an `if`, and the elements of a list that is searched.

use cedar_policy::{Entities, Request};
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, UnaryOp};

use super::evaluate::{Evaluation, Value};
use super::{ConditionPart, Conditions, Keyword, TextSource};

/// An expression that can decide.
#[derive(Debug, Clone)]
pub struct Operand {
    /// Its clause's keyword; `None` in the scope.
    pub keyword: Option<Keyword>,
    /// The expression.
    pub part: ConditionPart,
    /// Whether it is an element of a searched list, for which only a match says anything.
    pub is_element: bool,
    /// Index into [`Conditions::parts`] of the single condition that contains it.
    single: Option<usize>,
    /// What must be true or false within that condition for Cedar to reach the operand.
    guards: Vec<(ConditionPart, bool)>,
}

impl Conditions {
    /// All operands, in source order.
    #[must_use]
    pub fn operands(&self) -> Vec<Operand> {
        let mut found = Vec::new();
        for asked in &self.scope {
            let mut search = OperandSearch::new(None, None, &mut found);
            search.elements(asked.part.expr());
        }
        for (place, (keyword, part)) in self.parts().into_iter().enumerate() {
            let mut search = OperandSearch::new(Some(keyword), Some(place), &mut found);
            search.condition(part.expr());
        }
        found
    }
}

impl Operand {
    /// The operand's value for a request; `None` if Cedar does not reach it. `evaluation` is the
    /// evaluation of the whole policy for the same request.
    #[must_use]
    pub fn value(
        &self,
        evaluation: &Evaluation,
        request: &Request,
        entities: &Entities,
    ) -> Option<bool> {
        let is_reached = match self.single {
            Some(place) => evaluation.singles.get(place)? != &Value::NotReached,
            // An element of a list in the scope counts only if the whole scope matches.
            None => evaluation.scope.iter().all(|value| *value == Value::True),
        };
        let mut guards = self.guards.iter();
        let holds = |(guard, wanted): &(ConditionPart, bool)| {
            guard.truth_value(request, entities) == Some(*wanted)
        };
        if is_reached && guards.all(holds) {
            self.part.truth_value(request, entities)
        } else {
            None
        }
    }
}

/// Collects the operands of one expression.
struct OperandSearch<'f> {
    keyword: Option<Keyword>,
    single: Option<usize>,
    guards: Vec<(ConditionPart, bool)>,
    found: &'f mut Vec<Operand>,
}

impl<'f> OperandSearch<'f> {
    const fn new(
        keyword: Option<Keyword>,
        single: Option<usize>,
        found: &'f mut Vec<Operand>,
    ) -> Self {
        Self {
            keyword,
            single,
            guards: Vec::new(),
            found,
        }
    }

    /// Collects from a boolean expression.
    fn condition(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::Lit(_) => {}
            ExprKind::And { left, right } => {
                self.condition(left);
                self.guarded_by(left, true, |search| search.condition(right));
            }
            ExprKind::Or { left, right } => {
                self.condition(left);
                self.guarded_by(left, false, |search| search.condition(right));
            }
            ExprKind::If {
                test_expr,
                then_expr,
                else_expr,
            } => {
                self.condition(test_expr);
                self.guarded_by(test_expr, true, |search| search.condition(then_expr));
                self.guarded_by(test_expr, false, |search| search.condition(else_expr));
            }
            ExprKind::UnaryApp {
                op: UnaryOp::Not,
                arg,
            } if is_connective(arg) => self.condition(arg),
            _ => {
                self.add(ConditionPart::new(expr), false);
                self.operands_of(expr);
            }
        }
    }

    /// Collects the booleans within an expression of any type.
    fn value(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::If {
                test_expr,
                then_expr,
                else_expr,
            } => {
                self.condition(test_expr);
                self.guarded_by(test_expr, true, |search| search.value(then_expr));
                self.guarded_by(test_expr, false, |search| search.value(else_expr));
            }
            ExprKind::And { .. } | ExprKind::Or { .. } => self.condition(expr),
            _ => self.operands_of(expr),
        }
    }

    fn operands_of(&mut self, expr: &Expr) {
        self.elements(expr);
        match expr.expr_kind() {
            ExprKind::UnaryApp { arg, .. } => self.value(arg),
            ExprKind::BinaryApp { arg1, arg2, .. } => {
                self.value(arg1);
                self.value(arg2);
            }
            ExprKind::GetAttr { expr, .. }
            | ExprKind::HasAttr { expr, .. }
            | ExprKind::ExtHasAttr { expr, .. }
            | ExprKind::Like { expr, .. }
            | ExprKind::Is { expr, .. } => self.value(expr),
            ExprKind::ExtensionFunctionApp { args, .. } => {
                args.iter().for_each(|expr| self.value(expr));
            }
            ExprKind::Set(elements) => elements.iter().for_each(|expr| self.value(expr)),
            ExprKind::Record(fields) => fields.values().for_each(|expr| self.value(expr)),
            _ => {}
        }
    }

    /// `a in [b, c]` means `a in b || a in c`, and `[b, c].contains(a)` the same with `==`.
    fn elements(&mut self, expr: &Expr) {
        let ExprKind::BinaryApp { op, arg1, arg2 } = expr.expr_kind() else {
            return;
        };
        let (looked_for, list) = match op {
            BinaryOp::In => (arg1, arg2),
            BinaryOp::Contains => (arg2, arg1),
            _ => return,
        };
        let ExprKind::Set(elements) = list.expr_kind() else {
            return;
        };
        for element in elements.iter().filter(|_| elements.len() > 1) {
            let (sought, element_of) = (looked_for.as_ref().clone(), element.clone());
            let equal = match op {
                BinaryOp::In => Expr::is_in(sought, element_of),
                _ => Expr::is_eq(sought, element_of),
            };
            let written = match element.expr_kind() {
                ExprKind::Lit(Literal::EntityUID(uid)) => uid.loc(),
                _ => None,
            };
            let part = ConditionPart {
                loc: written.or_else(|| element.source_loc()).cloned(),
                expression: equal.into(),
                text: TextSource::Made,
            };
            self.add(part, true);
        }
    }

    fn guarded_by(&mut self, guard: &Expr, wanted: bool, search: impl FnOnce(&mut Self)) {
        self.guards.push((ConditionPart::new(guard), wanted));
        search(self);
        self.guards.pop();
    }

    fn add(&mut self, part: ConditionPart, is_element: bool) {
        self.found.push(Operand {
            keyword: self.keyword,
            part,
            is_element,
            single: self.single,
            guards: self.guards.clone(),
        });
    }
}

fn is_connective(expr: &Expr) -> bool {
    match expr.expr_kind() {
        ExprKind::And { .. } | ExprKind::Or { .. } | ExprKind::If { .. } => true,
        ExprKind::UnaryApp {
            op: UnaryOp::Not,
            arg,
        } => is_connective(arg),
        _ => false,
    }
}
