//! The actions of a schema by name, and what may be asked about each.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{EntityUid, Schema};
use cedar_policy_core::ast;
use cedar_policy_core::validator::types::Type;

use super::entity_types::Declared;
use crate::fault::FolderFault;
use crate::index::AskedTypes;
use crate::names::fault_at;
use crate::source::Source;

/// The number of an action, and the types of principal and resource.
pub(super) type AskedKind = (usize, String, String);

#[derive(Debug)]
pub(super) struct Actions {
    /// In the order of the names.
    by_name: BTreeMap<String, Action>,
}

#[derive(Debug)]
pub(super) struct Action {
    pub(super) uid: EntityUid,
    pub(super) number: usize,
    pub(super) context: Declared,
    principals: BTreeSet<String>,
    resources: BTreeSet<String>,
}

impl Action {
    pub(super) fn is_about(&self, resource: &str) -> bool {
        self.resources.contains(resource)
    }

    pub(super) fn applies_to(&self, principal: &str, resource: &str) -> bool {
        self.principals.contains(principal) && self.resources.contains(resource)
    }
}

impl Actions {
    /// # Errors
    ///
    /// Two actions of one name, in two namespaces: a question could not tell them apart.
    pub(super) fn of(schema: &Schema, source: &Source) -> Result<Self, Vec<FolderFault>> {
        let core = schema.as_ref();
        let groups: BTreeSet<&EntityUid> = schema.action_groups().collect();
        let mut by_name = BTreeMap::new();
        let mut faults = Vec::new();
        for uid in schema.actions().filter(|uid| !groups.contains(uid)) {
            let name = uid.id().unescaped().to_owned();
            let declared = core.get_action_id(AsRef::<ast::EntityUID>::as_ref(uid));
            let texts =
                |types: Vec<&ast::EntityType>| types.into_iter().map(ToString::to_string).collect();
            let context = declared.and_then(|declared| declared.context_type());
            let action = Action {
                uid: uid.clone(),
                number: 0,
                context: match context {
                    Some(Type::Record { attrs, .. }) => Declared::of(attrs),
                    _ => Declared::default(),
                },
                principals: declared
                    .map(|it| texts(it.principals().collect()))
                    .unwrap_or_default(),
                resources: declared
                    .map(|it| texts(it.resources().collect()))
                    .unwrap_or_default(),
            };
            if by_name.insert(name.clone(), action).is_some() {
                let message = format!("there are two actions of the name `{name}`");
                let fault = fault_at(message, source, &format!("action {name}"));
                faults.push(fault.help("questions name actions without a namespace; rename one"));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        for (number, action) in by_name.values_mut().enumerate() {
            action.number = number;
        }
        Ok(Self { by_name })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Action> {
        self.by_name.get(name)
    }

    /// In the order of their numbers, which is that of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Action)> {
        self.by_name.iter().map(|(name, it)| (name.as_str(), it))
    }

    /// All that may be asked.
    pub(super) fn asked(&self) -> impl Iterator<Item = AskedTypes<AskedKind>> {
        self.by_name.values().flat_map(|action| {
            action.principals.iter().flat_map(move |principal| {
                action.resources.iter().map(move |resource| AskedTypes {
                    kind: (action.number, principal.clone(), resource.clone()),
                    action: action.number,
                    principal: principal.clone(),
                    resource: resource.clone(),
                })
            })
        })
    }
}
