//! A subject that is the resource, too: a question says in two places what the one entity is.

use serde_json::{Map, Value};

use super::load::CustomDomain;
use super::question::{BadProperty, DomainQuestion, NamedEntity, Unasked};
use crate::json::Uid;

const SUBJECT: &str = "/subject/properties/";
const RESOURCE: &str = "/resource/properties/";

impl CustomDomain {
    /// What both places say together; `None` if they are about two entities.
    ///
    /// # Errors
    ///
    /// They contradict each other about an attribute that the question is believed in.
    pub(super) fn said_of_one(
        &self,
        question: &DomainQuestion<'_>,
    ) -> Result<Option<Map<String, Value>>, BadProperty> {
        let (subject, resource) = (question.subject, question.resource);
        if (subject.of, subject.id) != (resource.of, resource.id) {
            return Ok(None);
        }
        let mut said = subject.properties.clone();
        for (name, value) in resource.properties {
            let before = said.insert(name.clone(), value.clone());
            if before.is_some_and(|before| before != *value) && self.believes(resource, name) {
                return Err(BadProperty {
                    pointer: format!("{RESOURCE}{name}"),
                    message: "`/subject/properties` says something else of the same entity"
                        .to_owned(),
                });
            }
        }
        Ok(Some(said))
    }

    /// Whether a question may say this attribute of the entity: it is declared, and nobody else says it.
    fn believes(&self, entity: NamedEntity<'_>, name: &str) -> bool {
        let uid = Uid {
            of: entity.of.to_owned(),
            id: entity.id.to_owned(),
        };
        let known = self.entities.get(&uid);
        self.types
            .get(entity.of)
            .is_some_and(|of| !of.is_vouched && of.attributes.has(name))
            && known.is_none_or(|known| !known.fact.attributes.contains_key(name))
    }
}

/// The question with what is said of the one entity in both places.
pub(super) fn about_one<'q>(
    question: &DomainQuestion<'q>,
    said: &'q Map<String, Value>,
) -> DomainQuestion<'q> {
    let saying = |entity: NamedEntity<'q>| NamedEntity {
        properties: said,
        ..entity
    };
    DomainQuestion {
        subject: saying(question.subject),
        resource: saying(question.resource),
        ..*question
    }
}

/// The error at the place where the question has it: the subject is read first, with what the resource says.
pub(super) fn placed(error: Unasked, question: &DomainQuestion<'_>) -> Unasked {
    let Unasked::Bad(bad) = error else {
        return error;
    };
    let below = bad.pointer.strip_prefix(SUBJECT);
    let is_elsewhere = below.is_some_and(|below| {
        let name = below.split('/').next().unwrap_or_default();
        !question.subject.properties.contains_key(name)
            && question.resource.properties.contains_key(name)
    });
    Unasked::Bad(match below.filter(|_| is_elsewhere) {
        Some(below) => BadProperty {
            pointer: format!("{RESOURCE}{below}"),
            ..bad
        },
        None => bad,
    })
}
