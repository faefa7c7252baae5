//! A policy set for a service account that holds certain roles and permissions: what it holds is put into the policies
//! as constants, so that two sets of grants can be compared as two policy sets are.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use cedar_policy::Policy;
use serde_json::{Value, json};

use super::narrow::parsed;
use super::policy_json::{
    constant, fold, is_principal_in, is_variable, part, set, set_members, simplify,
};
use super::subject::{HeldGrants, children};
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;

const ACCOUNT: &str = "ServiceAccount";
const GRANTS: [&str; 2] = ["Role", "Permission"];
const SCHEMA: &str = "schema.cedarschema";

/// The policies as a service account with these grants meets them; those for other principals are left out.
pub(super) fn assuming(
    dir: &Path,
    folder: &Folder,
    snapshot: &Snapshot,
    held: &HeldGrants,
) -> Result<Snapshot, String> {
    let mut text = String::new();
    for policy in snapshot.policies().policies() {
        let Some(assumed) = held.assumed(policy)? else {
            continue;
        };
        let written = parsed(assumed)?
            .to_cedar()
            .ok_or("a policy without a text")?;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{written}");
    }
    if text.is_empty() {
        text.push_str("@id(\"nothing\")\nforbid (principal, action, resource);\n");
    }
    let mut files = Files::new();
    let schema = folder.files().get(SCHEMA).ok_or("there is no schema")?;
    files.insert(SCHEMA.to_owned(), Arc::clone(schema));
    files.insert("assumed.cedar".to_owned(), Arc::from(text));
    Folder::from_files(dir, files)
        .and_then(|folder| Snapshot::from_accepted(&folder))
        .map_err(|error| error.report())
}

impl HeldGrants {
    fn holds(&self, uid: &Value) -> Option<bool> {
        let (of, id) = (part(uid, "type").as_str()?, part(uid, "id").as_str()?);
        let names = match of {
            "Role" => &self.roles,
            "Permission" => &self.permissions,
            _ => return None,
        };
        Some(names.iter().any(|name| name == id))
    }

    /// `None` if the policy never applies to the service account.
    fn assumed(&self, policy: &Policy) -> Result<Option<Value>, String> {
        let mut json = policy.to_json().map_err(|error| error.to_string())?;
        let principal = part(&json, "principal");
        let is_account = json!({"op": "is", "entity_type": ACCOUNT});
        let is_for_others = |of: &Value| of.as_str().is_some_and(|of| of != ACCOUNT);
        let within = match part(principal, "op").as_str() {
            Some("in") => Some(part(principal, "entity")),
            Some("is") if is_for_others(part(principal, "entity_type")) => return Ok(None),
            Some("is") => principal.get("in").map(|within| part(within, "entity")),
            _ => None,
        };
        match within.and_then(|uid| self.holds(uid)) {
            Some(false) => return Ok(None),
            Some(true) => set(&mut json, "principal", is_account),
            None => {}
        }
        let resource = part(&json, "resource").clone();
        let conditions = part(&json, "conditions").as_array().cloned();
        let conditions = conditions.into_iter().flatten().map(|mut clause| {
            let body = self.replaced(part(&clause, "body").clone(), &resource)?;
            set(&mut clause, "body", body);
            Ok(clause)
        });
        let conditions: Vec<Value> = conditions.collect::<Result<_, String>>()?;
        set(&mut json, "conditions", conditions);
        if may_be_account(&resource) && (is_grant_scope(&resource) || asks_resource(&json)) {
            return Err(format!(
                "`{}` asks what the resource holds, which may be the service account itself",
                policy.id()
            ));
        }
        Ok(simplify(json))
    }

    /// The expression with the memberships of the principal as constants.
    fn replaced(&self, expression: Value, resource: &Value) -> Result<Value, String> {
        if let Some(within) = is_principal_in(&expression) {
            return self.membership(&expression, within, resource);
        }
        if let Some(is) = expression
            .get("is")
            .filter(|is| is_variable(part(is, "left"), "principal"))
        {
            if part(is, "entity_type") != ACCOUNT {
                return Ok(constant(false));
            }
            if let Some(within) = is.get("in") {
                return self.membership(&expression, within, resource);
            }
        }
        let inside = match expression {
            Value::Array(items) => {
                let items = items.into_iter().map(|item| self.replaced(item, resource));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let members = members.into_iter();
                let members = members.map(|(name, it)| Ok((name, self.replaced(it, resource)?)));
                Value::Object(members.collect::<Result<_, String>>()?)
            }
            other => other,
        };
        Ok(fold(inside))
    }

    fn membership(
        &self,
        expression: &Value,
        within: &Value,
        resource: &Value,
    ) -> Result<Value, String> {
        let literal = |value: &Value| self.holds(value.get("Value")?.get("__entity")?);
        if let Some(holds) = literal(within) {
            return Ok(constant(holds));
        }
        if let Some(members) = set_members(within) {
            let known: Vec<Option<bool>> = members.iter().map(literal).collect();
            if known.contains(&Some(true)) {
                return Ok(constant(true));
            }
            if known.iter().all(Option::is_some) {
                return Ok(constant(false));
            }
            if known.iter().all(Option::is_none) && children(within).all(|it| !names_grant(it)) {
                return Ok(expression.clone());
            }
        } else if is_variable(within, "resource") {
            let of = part(resource, "entity_type").as_str().unwrap_or_default();
            let names = match of {
                "Role" => &self.roles,
                "Permission" => &self.permissions,
                _ => return Err(unclear(expression)),
            };
            if names.is_empty() {
                return Ok(constant(false));
            }
            let members: Vec<Value> = names
                .iter()
                .map(|id| json!({"Value": {"__entity": {"type": of, "id": id}}}))
                .collect();
            let right = json!({"Var": "resource"});
            return Ok(json!({"contains": {"left": {"Set": members}, "right": right}}));
        } else if within.get("Value").is_some() {
            // An account or an organization.
            return Ok(expression.clone());
        }
        Err(unclear(expression))
    }
}

fn unclear(expression: &Value) -> String {
    format!("what the principal is in cannot be told from the policies: {expression}")
}

/// Whether a scope's resource may be a service account.
fn may_be_account(resource: &Value) -> bool {
    let of = part(resource, "entity_type").as_str();
    let of = of.or_else(|| {
        part(part(resource, "entity"), "type")
            .as_str()
            .filter(|_| part(resource, "op") == "==")
    });
    of.is_none_or(|of| of == ACCOUNT)
}

fn is_grant_scope(resource: &Value) -> bool {
    let within = resource
        .get("in")
        .map_or(part(resource, "entity"), |within| part(within, "entity"));
    let of = part(within, "type").as_str().unwrap_or_default();
    part(resource, "op") != "==" && GRANTS.contains(&of)
}

/// Whether a condition asks whether something other than the principal is in a role or permission.
fn asks_resource(json: &Value) -> bool {
    let within = json.get("in").and_then(|it| it.get("right"));
    let is_asked = within.or_else(|| json.get("is").and_then(|is| is.get("in")));
    is_asked.is_some_and(names_grant) || children(json).any(asks_resource)
}

fn names_grant(json: &Value) -> bool {
    let of = part(json, "type").as_str().unwrap_or_default();
    GRANTS.contains(&of) || children(json).any(names_grant)
}
