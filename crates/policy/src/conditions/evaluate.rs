//! What each part of a policy comes to for one request. Cedar evaluates the single conditions;
//! here is only the order in which it looks at them, and where it stops.

use cedar_policy::{Entities, EvalResult, Request, eval_expression};

use super::{Condition, Conditions, Keyword, Part};

/// What a part comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// It is true.
    True,
    /// It is false.
    False,
    /// It cannot be evaluated, and with it the policy; Cedar's reason.
    Error(String),
    /// What stands before it has settled the matter.
    NotReached,
}

impl Value {
    const fn of(is_true: bool) -> Self {
        if is_true { Self::True } else { Self::False }
    }
}

/// How far to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As Cedar does, which stops as soon as the matter is settled.
    AsCedar,
    /// At everything, to say all that would have to change. What cannot be evaluated after Cedar
    /// would have stopped is not an error, it is not reached.
    AtAll,
}

/// What a policy and its parts come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// For each of [`Conditions::scope`].
    pub scope: Vec<Value>,
    /// For each of [`Conditions::singles`].
    pub singles: Vec<Value>,
    /// The policy as a whole: never [`Value::NotReached`].
    pub whole: Value,
}

struct Evaluator<'a> {
    request: &'a Request,
    entities: &'a Entities,
    look: Look,
    singles: Vec<Value>,
}

impl Conditions {
    /// Evaluates the parts for a request.
    #[must_use]
    pub fn evaluate(&self, request: &Request, entities: &Entities, look: Look) -> Evaluation {
        let mut evaluator = Evaluator {
            request,
            entities,
            look,
            singles: Vec::new(),
        };
        let mut whole = Value::True;
        let mut scope = Vec::with_capacity(self.scope.len());
        for asked in &self.scope {
            let value = evaluator.part(&asked.part, whole != Value::True);
            continue_with(&mut whole, &Value::True, &value);
            scope.push(value);
        }
        for clause in &self.clauses {
            let value = evaluator.condition(&clause.condition, whole != Value::True);
            let value = match clause.keyword {
                Keyword::When => value,
                Keyword::Unless => negated(value),
            };
            continue_with(&mut whole, &Value::True, &value);
        }
        Evaluation {
            scope,
            singles: evaluator.singles,
            whole,
        }
    }
}

impl Part {
    /// Whether the part is true by itself.
    pub(crate) fn is_true(&self, request: &Request, entities: &Entities) -> bool {
        self.truth(request, entities) == Some(true)
    }

    /// Whether the part is true or false by itself; `None` if it is neither.
    pub(super) fn truth(&self, request: &Request, entities: &Entities) -> Option<bool> {
        match eval_expression(request, entities, &self.expression) {
            Ok(EvalResult::Bool(is_true)) => Some(is_true),
            _ => None,
        }
    }
}

/// What is so far known gives way to the next value as long as the matter is open.
fn continue_with(known: &mut Value, open: &Value, next: &Value) {
    if known == open {
        known.clone_from(next);
    }
}

fn negated(value: Value) -> Value {
    match value {
        Value::True => Value::False,
        Value::False => Value::True,
        other => other,
    }
}

impl Evaluator<'_> {
    /// `settled`: Cedar would not look here any more.
    fn condition(&mut self, condition: &Condition, settled: bool) -> Value {
        match condition {
            Condition::Single(part) => {
                let value = self.part(part, settled);
                self.singles.push(value.clone());
                value
            }
            Condition::All(operands) => self.joined(operands, &Value::True, settled),
            Condition::Any(operands) => self.joined(operands, &Value::False, settled),
            Condition::Not(operand) => negated(self.condition(operand, settled)),
        }
    }

    /// `open` is the value that leaves the matter to the next operand.
    fn joined(&mut self, operands: &[Condition], open: &Value, settled: bool) -> Value {
        let mut known = open.clone();
        for operand in operands {
            let value = self.condition(operand, settled || known != *open);
            continue_with(&mut known, open, &value);
        }
        known
    }

    fn part(&self, part: &Part, settled: bool) -> Value {
        if settled && self.look == Look::AsCedar {
            return Value::NotReached;
        }
        match eval_expression(self.request, self.entities, &part.expression) {
            Ok(EvalResult::Bool(is_true)) => Value::of(is_true),
            _ if settled => Value::NotReached,
            Ok(other) => Value::Error(format!("expected true or false, got `{other}`")),
            Err(error) => Value::Error(error.to_string()),
        }
    }
}
