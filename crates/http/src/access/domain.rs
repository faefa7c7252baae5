//! Who answers: the built-in domain about Charter's own permissions and objects, or a domain of one's own.

use salvo::Request;
use serde_json::{Map, Value};

use charter_authn::access_clients::AccessClient;

use super::answer::{DomainAnswer, SearchResults};
use super::built_in::BuiltIn;
use super::custom::{Custom, names};
use super::page::Page;
use super::question::{Question, QuestionParts, SearchKind};
use crate::edge::context::RequestContext;
use crate::respond::ApiError;
use crate::state::State;

pub(super) enum Domain<'a> {
    BuiltIn(BuiltIn<'a>),
    Custom(Custom<'a>),
}

/// The domain that a request's path names; empty for the built-in one.
pub(super) fn name_of(request: &Request) -> String {
    request.param::<String>("domain").unwrap_or_default()
}

impl<'a> Domain<'a> {
    /// # Errors
    ///
    /// As [`Custom::find`].
    pub(super) fn named(
        name: &str,
        state: &'a State,
        client: AccessClient<'a>,
        context: &'a RequestContext,
    ) -> Result<Self, ApiError> {
        if name.is_empty() {
            return Ok(Self::BuiltIn(BuiltIn::new(state, client, context)));
        }
        Custom::find(state, name, client, context).map(Self::Custom)
    }

    /// What a request, or one of its evaluations, says; with ids of records in their one form.
    pub(super) fn parts(&self, object: &Map<String, Value>) -> Result<QuestionParts, ApiError> {
        let parts = QuestionParts::read(object)?;
        Ok(match self {
            Self::BuiltIn(_) => parts,
            Self::Custom(_) => parts.respelled(names::respell, names::respell_values),
        })
    }

    /// Of [`Domain::parts`]. `explain`: the decision is told by its id, and so has a line of its own in the decision
    /// log.
    pub(super) async fn evaluate(
        &self,
        question: &Question,
        explain: bool,
    ) -> Result<DomainAnswer, ApiError> {
        match self {
            Self::BuiltIn(domain) => domain.evaluate(question, explain).await,
            Self::Custom(domain) => domain.evaluate(question, explain).await,
        }
    }

    pub(super) async fn search(
        &self,
        question: &Question,
        sought: SearchKind,
        page: &Page<'_>,
    ) -> Result<SearchResults, ApiError> {
        match self {
            Self::BuiltIn(domain) => domain.search(question, sought, page).await,
            Self::Custom(domain) => domain.search(question, sought, page).await,
        }
    }
}
