//! Loads the records that a question names by type and id.

use serde_json::{Map, Value};

use charter_authn::operator::Operator;
use charter_domain::caller::Caller;
use charter_domain::permission::Permission;
use charter_store::EntityRef;

use crate::extract::body_value::Broken;
use crate::extract::loaded::{Loaded, entity_ref, found_or_none};
use crate::respond::{ApiError, echo};

/// Types of subjects.
pub(super) const SUBJECTS: [&str; 2] = ["ServiceAccount", "User"];
/// Types of resources.
pub(super) const RESOURCES: [&str; 7] = [
    "Organization",
    "Account",
    "ServiceAccount",
    "AccessKey",
    "User",
    "Role",
    "Permission",
];

/// A named record.
#[derive(Debug, Clone)]
pub(super) enum Named {
    Record(EntityRef),
    Role(String),
    Permission(String),
    /// A known type with an impossible id.
    Nothing,
}

/// Reads `{"type": …, "id": …}` with one of these types.
pub(super) fn named(object: &Map<String, Value>, types: &[&str]) -> Result<Named, Broken> {
    let (of, id) = (text(object, "type")?, text(object, "id")?);
    if !types.contains(&of) {
        let known = types.join("`, `");
        return Err(Broken::at("/type", format!("must be one of `{known}`")));
    }
    let record = match of {
        "Role" => return Ok(Named::Role(id.to_owned())),
        "Permission" => return Ok(Named::Permission(id.to_owned())),
        _ => entity_ref(of, id),
    };
    Ok(record.map_or(Named::Nothing, Named::Record))
}

/// Reads `{"name": …}` of an action.
pub(super) fn permission(object: &Map<String, Value>) -> Result<Permission, Broken> {
    let name = text(object, "name")?;
    name.parse()
        .map_err(|_| Broken::at("/name", format!("there is no action {}", echo(name))))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Broken> {
    object
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Broken::at(format!("/{name}"), "must be a string"))
}

/// The subject; `None` if it does not exist.
pub(super) async fn subject(
    operator: &Operator<'_>,
    named: &Named,
) -> Result<Option<Caller>, ApiError> {
    let Named::Record(named) = named else {
        return Ok(None);
    };
    let found = async { operator.tenant_of(*named).await?.caller(*named).await };
    Ok(found_or_none(found.await)?.flatten())
}

/// The resource; `None` if it does not exist.
pub(super) async fn resource(
    operator: &Operator<'_>,
    named: &Named,
) -> Result<Option<Loaded>, ApiError> {
    match named {
        Named::Record(named) => {
            let found = async { Loaded::load(operator.tenant_of(*named).await?, *named).await };
            Ok(found_or_none(found.await)?)
        }
        Named::Role(name) => Ok(Some(Loaded::Role(name.clone()))),
        Named::Permission(name) => Ok(Some(Loaded::Permission(name.clone()))),
        Named::Nothing => Ok(None),
    }
}
