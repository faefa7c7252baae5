//! Searches: among what the domain's folder names, or among the records of the store if its schema declares their type.
//!
//! Nothing is done upon a result, so none is put on record.

use std::sync::Arc;

use charter_authz::custom_domain::{Facts, FoundIds, SearchPage};

use super::record_search::{RecordSearch, named_organization, sought_type};
use super::{Custom, refused, respelled, worded};
use crate::access::answer::SearchResults;
use crate::access::page::{Page, bad_token};
use crate::access::question::{Question, SearchKind};
use crate::access::records;
use crate::extract::loaded::found_or_none;
use crate::respond::ApiError;

impl Custom<'_> {
    pub(crate) async fn search(
        &self,
        question: &Question,
        sought: SearchKind,
        page: &Page<'_>,
    ) -> Result<SearchResults, ApiError> {
        let question = respelled(question);
        // What is sought has no id, and so no facts.
        let of_subject = self.of_subject(&question.subject).await?;
        let of_resource = if question.subject.is_other_than(&question.resource) {
            self.of_resource(&question.resource).await?
        } else {
            Facts::default()
        };
        let facts = vec![of_subject, Arc::new(of_resource)];
        let of = sought_type(&question, sought);
        if of.is_some_and(|of| self.domain.is_vouched(of)) {
            return self.search_records(question, sought, facts, page).await;
        }
        let domain = Arc::clone(&self.domain);
        let (after, limit) = (page.after.clone(), page.limit);
        let found = self.state.access_turns.run(move || {
            let facts: Vec<&Facts> = facts.iter().map(Arc::as_ref).collect();
            let asked = worded(&question, &facts);
            let page = SearchPage {
                after: after.as_deref(),
                limit,
            };
            domain.search(&asked, sought, page)
        });
        let FoundIds { ids, next } = found.await?.map_err(|bad| refused(&bad))?;
        Ok(SearchResults { ids, next })
    }

    async fn search_records(
        &self,
        question: Question,
        sought: SearchKind,
        facts: Vec<Arc<Facts>>,
        page: &Page<'_>,
    ) -> Result<SearchResults, ApiError> {
        let after = page.after.as_deref();
        let after = after.map(|after| records::position(after).ok_or_else(bad_token));
        let Some(named) = named_organization(&question, sought) else {
            return Ok(SearchResults::default());
        };
        let Some(tenant) = found_or_none(self.client.tenant_of(named).await)? else {
            return Ok(SearchResults::default());
        };
        let search = Arc::new(RecordSearch {
            domain: Arc::clone(&self.domain),
            question,
            sought,
            facts,
        });
        let turns = &self.state.access_turns;
        let (found, next) = search
            .page(&tenant, turns, after.transpose()?, page.limit)
            .await?;
        Ok(SearchResults {
            ids: found.into_iter().map(|record| record.id).collect(),
            next,
        })
    }
}
