//! What of a question the schema declares: the rest is ignored, however much it is.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::entity_types::Declared;
use super::load::CustomDomain;
use super::question::{BadProperty, DomainQuestion, NamedEntity};
use super::weight::Size;

/// Of all properties and the context together. Evaluation takes time by each value.
const MOST: Size = Size {
    bytes: 64 * 1024,
    values: 1_000,
};

/// The declared members of a question's properties and context.
#[derive(Debug)]
pub(super) struct DeclaredQuestion<'q> {
    subject: Cow<'q, Map<String, Value>>,
    resource: Cow<'q, Map<String, Value>>,
    action: Cow<'q, Map<String, Value>>,
    context: Cow<'q, Map<String, Value>>,
}

impl DeclaredQuestion<'_> {
    /// The question that was asked, with these.
    pub(super) fn of<'a>(&'a self, asked: &DomainQuestion<'a>) -> DomainQuestion<'a> {
        DomainQuestion {
            subject: NamedEntity {
                properties: &self.subject,
                ..asked.subject
            },
            resource: NamedEntity {
                properties: &self.resource,
                ..asked.resource
            },
            action_properties: &self.action,
            context: &self.context,
            ..*asked
        }
    }
}

impl CustomDomain {
    /// Leaves out what the schema does not declare of the question. Of an unknown type or action that is everything.
    ///
    /// # Errors
    ///
    /// What is left is too large: the place that exceeds the limits is named.
    pub(super) fn declared_of<'q>(
        &self,
        question: &DomainQuestion<'q>,
    ) -> Result<DeclaredQuestion<'q>, BadProperty> {
        let attributes = |entity: NamedEntity<'_>| {
            let of = self.types.get(entity.of)?;
            // Nobody but the store says anything of these.
            (!of.is_vouched).then_some(&of.attributes)
        };
        let context = self.actions.get(question.action).map(|it| &it.context);
        let (subject, resource) = (question.subject, question.resource);
        let declared = DeclaredQuestion {
            subject: only(attributes(subject), subject.properties),
            resource: only(attributes(resource), resource.properties),
            action: only(context, question.action_properties),
            context: only(context, question.context),
        };
        let mut size = Size::NONE;
        for (members, pointer) in [
            (&declared.subject, "/subject/properties"),
            (&declared.resource, "/resource/properties"),
            (&declared.action, "/action/properties"),
            (&declared.context, "/context"),
        ] {
            if !size.add(members, MOST) {
                let Size { bytes, values } = MOST;
                return Err(BadProperty {
                    pointer: pointer.to_owned(),
                    message: format!(
                        "is too large: what the schema declares of properties and context may have {values} \
                         values and {bytes} bytes in all"
                    ),
                });
            }
        }
        Ok(declared)
    }
}

fn only<'q>(
    declared: Option<&Declared>,
    given: &'q Map<String, Value>,
) -> Cow<'q, Map<String, Value>> {
    let names = declared.into_iter().flat_map(Declared::names);
    let members: Vec<_> = names.filter_map(|name| given.get_key_value(name)).collect();
    if members.len() == given.len() {
        return Cow::Borrowed(given);
    }
    let members = members.into_iter();
    Cow::Owned(
        members
            .map(|(name, it)| (name.clone(), it.clone()))
            .collect(),
    )
}
