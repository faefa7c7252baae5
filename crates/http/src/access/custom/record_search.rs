//! Searches among the records of the store, for a domain whose schema declares them.
//!
//! They stay within one organization, which the question names; so nobody learns of another one's records.

use std::convert::identity;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use charter_authz::custom_domain::{BadProperty, CustomDomain, Facts, Unasked};
use charter_authz::decision::Outcome;
use charter_domain::caller::Caller;
use charter_store::{EntityRef, Scanned, TenantReader};

use super::names::within;
use super::{refused, worded};
use crate::access::question::{Question, Sought};
use crate::access::records::{self, RecordPage, RowRange};
use crate::extract::facts::{NAMESPACE, of_caller, of_loaded};
use crate::extract::loaded::{Loaded, entity_ref};
use crate::respond::ApiError;
use crate::state::{Turns, principal_kind};

pub(crate) struct RecordSearch {
    pub(crate) domain: Arc<CustomDomain>,
    /// With ids of records in their one form.
    pub(crate) question: Question,
    pub(crate) sought: Sought,
    /// About what the question names.
    pub(crate) facts: Vec<Arc<Facts>>,
}

/// A record that policy allows.
pub(crate) struct AllowedRecord {
    pub(crate) id: String,
    /// The policies that allow it.
    pub(crate) policies: Vec<String>,
}

enum Candidate {
    Subject(Caller),
    Resource(Box<Loaded>),
}

/// `None` for actions.
pub(crate) fn sought_type(question: &Question, sought: Sought) -> Option<&str> {
    match sought {
        Sought::Subject => Some(&question.subject.of),
        Sought::Resource => Some(&question.resource.of),
        Sought::Action => None,
    }
}

/// The record whose organization is searched: what is sought names it by its property `organization`, or else the other
/// entity of the question is a record itself.
pub(crate) fn named_organization(question: &Question, sought: Sought) -> Option<EntityRef> {
    let (sought, other) = match sought {
        Sought::Subject => (&question.subject, &question.resource),
        Sought::Resource | Sought::Action => (&question.resource, &question.subject),
    };
    let Some(named) = sought.properties.get("organization") else {
        let other = within(other)?;
        return entity_ref(&other.of, &other.id);
    };
    let named = named.get("__entity").unwrap_or(named);
    let text = |name| named.get(name).and_then(Value::as_str);
    let of = text("type")?.strip_prefix(NAMESPACE)?;
    let named = entity_ref(of, text("id")?);
    named.filter(|named| matches!(named, EntityRef::Organization(_)))
}

impl RecordSearch {
    /// A page of the tenant's records, and after which id the next one begins (`Some(None)`: at the start).
    ///
    /// # Errors
    ///
    /// 400 for a property of a wrong type; the store's; `UNAVAILABLE` without a turn.
    pub(crate) async fn page(
        self: &Arc<Self>,
        tenant: &TenantReader<'_>,
        turns: &Turns,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<(Vec<AllowedRecord>, Option<Option<String>>), ApiError> {
        let Question {
            subject,
            action,
            resource,
            ..
        } = &self.question;
        let mut page = RecordPage::new(limit, after);
        if !self
            .domain
            .is_asked(&action.name, &subject.of, &resource.of)
        {
            return Ok((Vec::new(), None));
        }
        while let Some(rows) = page.next_read() {
            let read = self.read(tenant, rows).await?;
            let search = Arc::clone(self);
            let asked = turns.run(move || search.ask_each(read)).await?;
            let asked = asked.map_err(|bad| refused(&bad))?;
            page.take(asked, identity).await;
        }
        Ok(page.done())
    }

    async fn read(
        &self,
        tenant: &TenantReader<'_>,
        rows: RowRange,
    ) -> Result<Scanned<Candidate>, ApiError> {
        let of = sought_type(&self.question, self.sought).unwrap_or_default();
        let of = of.strip_prefix(NAMESPACE).unwrap_or_default();
        if self.sought == Sought::Resource {
            let organization = tenant.organization().await?;
            let read = records::read(tenant, of, &organization, rows).await?;
            return Ok(records::map(read, |loaded| {
                Candidate::Resource(Box::new(loaded))
            }));
        }
        Ok(match principal_kind(of) {
            Some(kind) => {
                let read = records::callers(tenant, kind, None, rows).await?;
                records::map(read, Candidate::Subject)
            }
            // Organizations and accounts do nothing.
            None => Scanned {
                found: Vec::new(),
                next: None,
            },
        })
    }

    fn ask_each(
        &self,
        read: Scanned<Candidate>,
    ) -> Result<Scanned<Option<AllowedRecord>>, BadProperty> {
        let each = read.found.into_iter();
        let found: Result<_, BadProperty> = each
            .map(|(uuid, candidate)| Ok((uuid, self.ask(&candidate)?)))
            .collect();
        Ok(Scanned {
            found: found?,
            next: read.next,
        })
    }

    fn ask(&self, candidate: &Candidate) -> Result<Option<AllowedRecord>, BadProperty> {
        let (id, fact) = match candidate {
            Candidate::Subject(caller) => (caller.principal_id(), of_caller(caller)),
            Candidate::Resource(loaded) => (loaded.id(), of_loaded(loaded)),
        };
        let of_candidate = Facts::new(fact);
        let mut facts: Vec<&Facts> = self.facts.iter().map(Arc::as_ref).collect();
        let mut asked = worded(&self.question, &[]);
        if self.sought == Sought::Subject {
            asked.subject.id = &id;
        } else {
            asked.resource.id = &id;
        }
        let (subject, resource) = (asked.subject, asked.resource);
        let is_one = (subject.of, subject.id) == (resource.of, resource.id);
        // As a resource it would make a subject of who could not act now.
        if self.sought == Sought::Subject || !is_one {
            facts.push(&of_candidate);
        }
        asked.facts = &facts;
        match self.domain.ask(&asked) {
            Ok(verdict) if verdict.outcome == Outcome::Allow => Ok(Some(AllowedRecord {
                policies: verdict.determining,
                id,
            })),
            Ok(_) | Err(Unasked::Unknown(_)) => Ok(None),
            Err(Unasked::Bad(bad)) => Err(bad),
        }
    }
}
