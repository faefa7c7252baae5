//! All that can decide within a policy's conditions: the single conditions, the test and the branches
//! of an `if`, and each element of a list that something is looked for in.

use cedar_policy::{Entities, Request};
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, UnaryOp};

use super::evaluate::{Evaluation, Value};
use super::{Conditions, Keyword, Part, Text};

/// Something that can decide.
#[derive(Debug, Clone)]
pub struct Operand {
    /// Of which kind its clause is; `None` in the scope.
    pub keyword: Option<Keyword>,
    /// What it is.
    pub part: Part,
    /// An element of a list: only that it is found says something.
    pub is_element: bool,
    /// The single condition that it is, or is in: a place in [`Conditions::singles`].
    single: Option<usize>,
    /// What must be true or false within that condition, so that Cedar comes to it.
    guards: Vec<(Part, bool)>,
}

impl Conditions {
    /// All operands, in the order of the text.
    #[must_use]
    pub fn operands(&self) -> Vec<Operand> {
        let mut found = Vec::new();
        for asked in &self.scope {
            let mut search = Search::new(None, None, &mut found);
            search.elements(asked.part.expr());
        }
        for (place, (keyword, part)) in self.singles().into_iter().enumerate() {
            let mut search = Search::new(Some(keyword), Some(place), &mut found);
            search.condition(part.expr());
        }
        found
    }
}

impl Operand {
    /// What it comes to for a request; `None` if Cedar does not come to it. `evaluation` is that of
    /// the whole policy for this request.
    #[must_use]
    pub fn value(
        &self,
        evaluation: &Evaluation,
        request: &Request,
        entities: &Entities,
    ) -> Option<bool> {
        let is_reached = match self.single {
            Some(place) => evaluation.singles.get(place)? != &Value::NotReached,
            // The list is in the scope: its elements count where all of the scope is met.
            None => evaluation.scope.iter().all(|value| *value == Value::True),
        };
        let mut guards = self.guards.iter();
        let holds =
            |(guard, wanted): &(Part, bool)| guard.truth(request, entities) == Some(*wanted);
        if is_reached && guards.all(holds) {
            self.part.truth(request, entities)
        } else {
            None
        }
    }
}

/// On the way through one expression.
struct Search<'f> {
    keyword: Option<Keyword>,
    single: Option<usize>,
    guards: Vec<(Part, bool)>,
    found: &'f mut Vec<Operand>,
}

impl<'f> Search<'f> {
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

    /// An expression that is true or false.
    fn condition(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::Lit(_) => {}
            ExprKind::And { left, right } => {
                self.condition(left);
                self.under(left, true, |search| search.condition(right));
            }
            ExprKind::Or { left, right } => {
                self.condition(left);
                self.under(left, false, |search| search.condition(right));
            }
            ExprKind::If {
                test_expr,
                then_expr,
                else_expr,
            } => {
                self.condition(test_expr);
                self.under(test_expr, true, |search| search.condition(then_expr));
                self.under(test_expr, false, |search| search.condition(else_expr));
            }
            ExprKind::UnaryApp {
                op: UnaryOp::Not,
                arg,
            } if is_joined(arg) => self.condition(arg),
            _ => {
                self.add(Part::new(expr), false);
                self.inside(expr);
            }
        }
    }

    /// An expression of any type: whatever is true or false in it.
    fn value(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::If {
                test_expr,
                then_expr,
                else_expr,
            } => {
                self.condition(test_expr);
                self.under(test_expr, true, |search| search.value(then_expr));
                self.under(test_expr, false, |search| search.value(else_expr));
            }
            ExprKind::And { .. } | ExprKind::Or { .. } => self.condition(expr),
            _ => self.inside(expr),
        }
    }

    fn inside(&mut self, expr: &Expr) {
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

    /// `a in [b, c]` is `a in b || a in c`, and so is `[b, c].contains(a)` with `==`.
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
            let part = Part {
                loc: written.or_else(|| element.source_loc()).cloned(),
                expression: equal.into(),
                text: Text::Made,
            };
            self.add(part, true);
        }
    }

    fn under(&mut self, guard: &Expr, wanted: bool, search: impl FnOnce(&mut Self)) {
        self.guards.push((Part::new(guard), wanted));
        search(self);
        self.guards.pop();
    }

    fn add(&mut self, part: Part, is_element: bool) {
        self.found.push(Operand {
            keyword: self.keyword,
            part,
            is_element,
            single: self.single,
            guards: self.guards.clone(),
        });
    }
}

fn is_joined(expr: &Expr) -> bool {
    match expr.expr_kind() {
        ExprKind::And { .. } | ExprKind::Or { .. } | ExprKind::If { .. } => true,
        ExprKind::UnaryApp {
            op: UnaryOp::Not,
            arg,
        } => is_joined(arg),
        _ => false,
    }
}
