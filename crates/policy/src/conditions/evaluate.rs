//! The value of each part of a policy for one request. Cedar evaluates the single conditions; this
//! module only decides the order and where evaluation stops.

use cedar_policy::{Entities, EvalResult, Request, eval_expression};

use super::{Condition, ConditionPart, Conditions, Keyword};

/// The value of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// True.
    True,
    /// False.
    False,
    /// It fails to evaluate, and the policy with it; Cedar's message.
    Error(String),
    /// An earlier part decided the policy.
    NotReached,
}

impl Value {
    const fn of(is_true: bool) -> Self {
        if is_true { Self::True } else { Self::False }
    }
}

/// How much to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluationMode {
    /// Stop as soon as the value is decided, as Cedar does.
    ShortCircuit,
    /// Evaluate everything, to report all that would have to change. Errors behind the point where
    /// Cedar would have stopped count as not reached.
    Exhaustive,
}

/// The values of a policy and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// One value for each of [`Conditions::scope`].
    pub scope: Vec<Value>,
    /// One value for each of [`Conditions::parts`].
    pub singles: Vec<Value>,
    /// The value of the whole policy; never [`Value::NotReached`].
    pub whole: Value,
}

struct Evaluator<'a> {
    request: &'a Request,
    entities: &'a Entities,
    look: EvaluationMode,
    singles: Vec<Value>,
}

impl Conditions {
    /// Evaluates the parts and the whole condition for a request.
    #[must_use]
    pub fn evaluate(
        &self,
        request: &Request,
        entities: &Entities,
        look: EvaluationMode,
    ) -> Evaluation {
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
            combine(&mut whole, &Value::True, &value);
            scope.push(value);
        }
        for clause in &self.clauses {
            let value = evaluator.condition(&clause.condition, whole != Value::True);
            let value = match clause.keyword {
                Keyword::When => value,
                Keyword::Unless => negated(value),
            };
            combine(&mut whole, &Value::True, &value);
        }
        Evaluation {
            scope,
            singles: evaluator.singles,
            whole,
        }
    }
}

impl ConditionPart {
    /// Whether the part evaluates to true by itself.
    pub(crate) fn is_true(&self, request: &Request, entities: &Entities) -> bool {
        self.truth_value(request, entities) == Some(true)
    }

    /// The truth value of the part by itself; `None` if it fails or is no boolean.
    pub(super) fn truth_value(&self, request: &Request, entities: &Entities) -> Option<bool> {
        match eval_expression(request, entities, &self.expression) {
            Ok(EvalResult::Bool(is_true)) => Some(is_true),
            _ => None,
        }
    }
}

/// Keeps a decided value; takes the next one while it is `open`.
fn combine(known: &mut Value, open: &Value, next: &Value) {
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
    /// `settled` says that Cedar would have stopped before this condition.
    fn condition(&mut self, condition: &Condition, settled: bool) -> Value {
        match condition {
            Condition::Single(part) => {
                let value = self.part(part, settled);
                self.singles.push(value.clone());
                value
            }
            Condition::All(operands) => self.connective(operands, &Value::True, settled),
            Condition::Any(operands) => self.connective(operands, &Value::False, settled),
            Condition::Not(operand) => negated(self.condition(operand, settled)),
        }
    }

    /// `open` is the value that leaves the decision to the next operand.
    fn connective(&mut self, operands: &[Condition], open: &Value, settled: bool) -> Value {
        let mut known = open.clone();
        for operand in operands {
            let value = self.condition(operand, settled || known != *open);
            combine(&mut known, open, &value);
        }
        known
    }

    fn part(&self, part: &ConditionPart, settled: bool) -> Value {
        if settled && self.look == EvaluationMode::ShortCircuit {
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
