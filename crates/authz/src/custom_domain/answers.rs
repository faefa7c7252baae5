//! Answers that are remembered: an equal question to the same version of a domain has the same answer, because
//! nothing but the question and the folder goes into it.

use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::Serialize;
use serde_json::{Map, Value};

use super::load::CustomDomain;
use super::question::{Answered, DomainQuestion, NamedEntity, Unasked};

/// An answer without its entities, and an action among these: measured, about.
const ANSWER_BYTES: usize = 1_024;
const ENTITY_BYTES: usize = 128;

/// Of all domains; the least recently used ones make room.
#[derive(Debug)]
pub struct Answers(Cache<Vec<u8>, Arc<Answered>>);

/// All that an answer depends on, but for facts.
#[derive(Serialize)]
struct Key<'a> {
    /// Digest of the domain's folder.
    domain: &'a str,
    subject: KeyEntity<'a>,
    action: &'a str,
    action_properties: &'a Map<String, Value>,
    resource: KeyEntity<'a>,
    context: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct KeyEntity<'a> {
    of: &'a str,
    id: &'a str,
    properties: &'a Map<String, Value>,
}

impl<'a> From<NamedEntity<'a>> for KeyEntity<'a> {
    fn from(NamedEntity { of, id, properties }: NamedEntity<'a>) -> Self {
        Self { of, id, properties }
    }
}

impl Answers {
    /// Takes so many bytes of memory, about.
    #[must_use]
    pub fn new(memory: u64) -> Self {
        let weigh = |key: &Vec<u8>, answered: &Arc<Answered>| {
            let entities = answered.entities.iter().count() * ENTITY_BYTES;
            let bytes = ANSWER_BYTES + key.len() + answered.bytes + entities;
            bytes.try_into().unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(memory)
            .weigher(weigh)
            .eviction_policy(EvictionPolicy::lru());
        Self(cache.build())
    }

    /// What the domain answers, as [`CustomDomain::answer`] does.
    ///
    /// # Errors
    ///
    /// As [`CustomDomain::ask`].
    pub fn answer(
        &self,
        domain: &CustomDomain,
        question: &DomainQuestion<'_>,
    ) -> Result<Arc<Answered>, Unasked> {
        let declared = domain.declared_of(question).map_err(Unasked::Bad)?;
        let question = &declared.of(question);
        let ask = || domain.answer(question).map(Arc::new);
        let key = Key {
            domain: domain.content_digest(),
            subject: question.subject.into(),
            action: question.action,
            action_properties: question.action_properties,
            resource: question.resource.into(),
            context: question.context,
        };
        let Ok(mut key) = serde_json::to_vec(&key) else {
            return ask();
        };
        for source in question.facts {
            key.extend_from_slice(source.text());
        }
        if let Some(known) = self.0.get(&key) {
            return Ok(known);
        }
        let answered = ask()?;
        // Failures are reported each time.
        if answered.verdict.errors.is_empty() {
            self.0.insert(key, Arc::clone(&answered));
        }
        Ok(answered)
    }
}
