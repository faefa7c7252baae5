//! `POST /access/v1/search/subject`, `…/resource` and `…/action` (`AuthZEN` section 8).

use charter_macros::boxed;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde::Serialize;

use super::asked::{admit, object};
use super::domain::{Domain, name_of};
use super::page::{Page, PageBody, SearchedBy};
use super::question::{Question, SearchKind};
use crate::edge::context::RequestContext;
use crate::respond::ApiError;
use crate::state::SharedState;

/// `page` comes first (`AuthZEN` section 8.3).
#[derive(Serialize)]
pub(super) struct SearchBody {
    page: PageBody,
    results: Vec<SearchResult>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SearchResult {
    Entity { r#type: String, id: String },
    Action { name: String },
}

#[handler]
#[boxed]
pub(super) async fn subject(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<SearchBody>, ApiError> {
    search(request, depot, SearchKind::Subject).await
}

#[handler]
#[boxed]
pub(super) async fn resource(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<SearchBody>, ApiError> {
    search(request, depot, SearchKind::Resource).await
}

#[handler]
#[boxed]
pub(super) async fn action(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<SearchBody>, ApiError> {
    search(request, depot, SearchKind::Action).await
}

async fn search(
    request: &mut Request,
    depot: &mut Depot,
    sought: SearchKind,
) -> Result<Json<SearchBody>, ApiError> {
    let state = SharedState::of(depot)?;
    let client = admit(request, depot, &state)?;
    let context = RequestContext::behind_edge(depot)?;
    let (name, asker) = (name_of(request), client.name().to_owned());
    let domain = Domain::named(&name, &state, client, context)?;
    let object = object(request, context).await?;
    let question = Question::of_search(&object, sought)?;
    let by = SearchedBy {
        sought,
        domain: &name,
        client: &asker,
    };
    let page = Page::read(&object, &by, &state.cursors)?;
    let found = domain.search(&question, sought, &page).await?;
    let body = page.body(found.next, found.ids.len())?;
    let of = match sought {
        SearchKind::Subject => Some(question.subject.of),
        SearchKind::Resource => Some(question.resource.of),
        SearchKind::Action => None,
    };
    let results = found.ids.into_iter().map(|id| match &of {
        Some(of) => SearchResult::Entity {
            r#type: of.clone(),
            id,
        },
        None => SearchResult::Action { name: id },
    });
    Ok(Json(SearchBody {
        page: body,
        results: results.collect(),
    }))
}
