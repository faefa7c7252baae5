//! The explanation as text.

use std::fmt::{Formatter, Result};

use super::super::conditions::{Keyword, Variable};
use super::super::snapshot_decision::Ruling;
use super::findings::{ConditionFinding, ConditionOrigin};
use super::{EvaluatedEntity, Explanation};

fn write(explanation: &Explanation, f: &mut Formatter<'_>) -> Result {
    answer(explanation, f)?;
    request(explanation, f)?;
    determining(explanation, f)?;
    nearest(explanation, f)?;
    errors(explanation, f)
}

fn answer(explanation: &Explanation, f: &mut Formatter<'_>) -> Result {
    let answer = match explanation.ruling {
        Ruling::Allowed => "allowed",
        Ruling::Forbidden => "denied: a policy forbids it",
        Ruling::NotPermitted if explanation.unaskable.is_some() => {
            "denied: the schema does not allow this question"
        }
        Ruling::NotPermitted => "denied: no policy permits it",
    };
    writeln!(f, "{answer}\n")?;
    if let Some(why) = &explanation.unaskable {
        writeln!(f, "{:<10} {why}", "because")?;
    }
    if explanation.ruling == Ruling::Forbidden {
        // Without a forbid there is neither code nor message.
        for (heading, value) in [
            ("code", &explanation.code),
            ("message", &explanation.message),
        ] {
            if let Some(value) = value {
                writeln!(f, "{heading:<10} {value}")?;
            }
        }
    }
    Ok(())
}

fn request(explanation: &Explanation, f: &mut Formatter<'_>) -> Result {
    let seen = &explanation.seen;
    entity(f, "principal", &seen.principal)?;
    entity(f, "action   ", &seen.action)?;
    entity(f, "resource ", &seen.resource)?;
    for (number, (name, value)) in seen.context.iter().enumerate() {
        let heading = if number == 0 { "context" } else { "" };
        writeln!(f, "{heading:<10} {name} = {value}")?;
    }
    Ok(())
}

fn determining(explanation: &Explanation, f: &mut Formatter<'_>) -> Result {
    let heading = match explanation.ruling {
        Ruling::Allowed => "allowed by",
        Ruling::Forbidden | Ruling::NotPermitted => "forbidden by",
    };
    if !explanation.determining.is_empty() {
        writeln!(f, "\n{heading}")?;
    }
    for applied in &explanation.determining {
        writeln!(f, "  {}", applied.policy_ref)?;
        for condition in &applied.conditions {
            finding(f, condition)?;
        }
        if applied.conditions.is_empty() {
            writeln!(f, "    its scope fits, and it has no conditions")?;
        }
    }
    Ok(())
}

fn nearest(explanation: &Explanation, f: &mut Formatter<'_>) -> Result {
    if explanation.ruling == Ruling::NotPermitted && explanation.unaskable.is_none() {
        if explanation.nearest.is_empty() {
            writeln!(f, "\nno permit is about this action")?;
        } else {
            writeln!(f, "\nnearest permits")?;
        }
    }
    for nearest in &explanation.nearest {
        writeln!(f, "  {}", nearest.policy_ref)?;
        for failed in &nearest.failed {
            finding(f, failed)?;
        }
    }
    Ok(())
}

fn errors(explanation: &Explanation, f: &mut Formatter<'_>) -> Result {
    if !explanation.errors.is_empty() {
        writeln!(f, "\ncould not be evaluated")?;
    }
    for errored in &explanation.errors {
        let effect = if errored.is_forbid {
            "a forbid, so what it may forbid is denied"
        } else {
            "a permit, so it permits nothing"
        };
        writeln!(f, "  {}, {effect}", errored.policy_ref)?;
        writeln!(f, "    {}", errored.message)?;
    }
    Ok(())
}

fn entity(f: &mut Formatter<'_>, heading: &str, entity: &EvaluatedEntity) -> Result {
    writeln!(f, "{heading}  {}", entity.uid)?;
    for parent in &entity.is_in {
        writeln!(f, "             in {parent}")?;
    }
    for (name, value) in &entity.attributes {
        writeln!(f, "             {name} = {value}")?;
    }
    for (name, value) in &entity.tags {
        writeln!(f, "             tag {name:?} = {value}")?;
    }
    Ok(())
}

fn finding(f: &mut Formatter<'_>, finding: &ConditionFinding) -> Result {
    let of = match finding.of {
        ConditionOrigin::Scope(Variable::Principal | Variable::Action | Variable::Resource) => {
            "scope"
        }
        ConditionOrigin::Clause(Keyword::When) => "when",
        ConditionOrigin::Clause(Keyword::Unless) => "unless",
    };
    write!(f, "    {of} `{}`", finding.text)?;
    match &finding.error {
        None => write!(f, " is {}", finding.value)?,
        Some(error) => write!(f, " cannot be evaluated: {error}")?,
    }
    if let Some(line) = finding.line {
        write!(f, " (line {line})")?;
    }
    writeln!(f)?;
    // These are printed above.
    let is_above =
        |expression: &str| ["principal", "action", "resource", "context"].contains(&expression);
    for looked in &finding.looked_at {
        if is_above(&looked.expression) {
            continue;
        }
        writeln!(f, "      `{}` is `{}`", looked.expression, looked.value)?;
        for parent in looked.is_in.iter().flatten() {
            writeln!(f, "        in {parent}")?;
        }
        if looked.is_in.as_ref().is_some_and(Vec::is_empty) {
            writeln!(f, "        in nothing")?;
        }
    }
    Ok(())
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write(self, f)
    }
}
