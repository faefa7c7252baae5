//! `POST /policies/access` with a `domain`: of subject, action and resource one is sought, by evaluation over what the
//! domain's `entities.json` and schema name, or over an organization's records.

use std::sync::Arc;

use serde_json::{Map, Value};

use charter_authn::operator::Operator;
use charter_authn::secrets::CursorPosition;
use charter_authz::custom_domain::{BadProperty, CustomDomain, Facts, SearchPage, Unasked};

use super::access_body::{Access, AccessBody, Entity};
use super::admission::OperatorRequest;
use super::candidates::bad_cursor;
use super::custom_question::{self, ChosenDomain};
use super::sent_folder::refused;
use super::work;
use crate::access::custom;
use crate::access::custom::record_search::{
    AllowedRecord, RecordSearch, named_organization, sought_type,
};
use crate::access::question::{Question, Sought};
use crate::access::records::position;
use crate::extract::cursor_scope::CursorScope;
use crate::extract::fields::{Fields, present};
use crate::extract::loaded::found_or_none;
use crate::respond::{ApiError, Detail};
use crate::state::State;

/// Results in one page.
const PAGE: usize = 100;

/// After which id the page begins.
struct After(String);

impl CursorPosition for After {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok().map(Self)
    }
}

/// Lists one page.
pub(super) async fn list(
    body: Map<String, Value>,
    asked: &OperatorRequest,
    scope: &CursorScope<'_>,
) -> Result<AccessBody, ApiError> {
    let mut fields = Fields::new(body.clone());
    let cursor = fields.optional::<String>("cursor");
    let chosen = ChosenDomain::read(fields, &asked.state)?;
    let sought = sought(&body)?;
    let question = Question::of_search(&body, sought)?;
    let question = custom::respelled(&question);
    let cursor = present(cursor)?.map(|text| scope.open(&text).ok_or_else(bad_cursor));
    let after: Option<After> = cursor.transpose()?;
    let operator = asked.operator();
    // What is sought has no id, and so no facts.
    let facts = custom_question::facts(&operator, &question.subject, &question.resource).await?;
    let (_, domain) = chosen.load(&asked.state).await?;
    let of = sought_type(&question, sought);
    let (results, next) = if of.is_some_and(|of| domain.is_vouched(of)) {
        let search = RecordSearch {
            domain,
            question,
            sought,
            facts: vec![Arc::new(facts)],
        };
        records(&asked.state, &operator, Arc::new(search), after.as_ref()).await?
    } else {
        let page = work::run(&asked.state, move |_| {
            let page = page(&domain, &question, sought, &[&facts], after.as_ref());
            drop(domain);
            page
        });
        page.await?.map_err(|bad| custom::refused(&bad))?
    };
    Ok(AccessBody {
        results,
        next_cursor: next.map(|next| scope.seal(&After(next))).transpose()?,
    })
}

/// What is allowed among the records of the organization that the question names.
async fn records(
    state: &State,
    operator: &Operator<'_>,
    search: Arc<RecordSearch>,
    after: Option<&After>,
) -> Result<(Vec<Access>, Option<String>), ApiError> {
    let after = after.map(|after| position(&after.0).ok_or_else(bad_cursor));
    let Question {
        subject,
        action,
        resource,
        ..
    } = &search.question;
    let Some(named) = named_organization(&search.question, search.sought) else {
        let rule = "name the organization whose records are sought: `{\"type\": \"Charter::Organization\", \"id\": …}`";
        let place = match search.sought {
            Sought::Subject => "/subject/properties/organization",
            Sought::Resource | Sought::Action => "/resource/properties/organization",
        };
        return Err(refused(vec![Detail::new(place, rule)]));
    };
    let Some(tenant) = found_or_none(operator.tenant_of(named).await)? else {
        return Ok((Vec::new(), None));
    };
    let turns = &state.workbench.turns;
    let (found, next) = search
        .page(&tenant, turns, after.transpose()?, PAGE)
        .await?;
    let access = |record: AllowedRecord| {
        let (of_subject, of_resource) = match search.sought {
            Sought::Subject => (&record.id, &resource.id),
            Sought::Resource | Sought::Action => (&subject.id, &record.id),
        };
        Access {
            subject: Entity::named(&subject.of, of_subject),
            action: action.name.clone(),
            resource: Entity::named(&resource.of, of_resource),
            policies: record.policies,
        }
    };
    Ok((found.into_iter().map(access).collect(), next.flatten()))
}

/// What the question leaves open.
fn sought(body: &Map<String, Value>) -> Result<Sought, ApiError> {
    let has_id = |part: &str| body.get(part).is_some_and(|part| part.get("id").is_some());
    let named = (
        has_id("subject"),
        body.contains_key("action"),
        has_id("resource"),
    );
    match named {
        (false, true, true) => Ok(Sought::Subject),
        (true, false, true) => Ok(Sought::Action),
        (true, true, false) => Ok(Sought::Resource),
        _ => {
            let rule = "leave out one of the subject's `id`, the action, and the resource's `id`";
            Err(refused(vec![Detail::new("/subject", rule)]))
        }
    }
}

/// What is allowed, and after which id the next page begins.
fn page(
    domain: &CustomDomain,
    question: &Question,
    sought: Sought,
    facts: &[&Facts],
    after: Option<&After>,
) -> Result<(Vec<Access>, Option<String>), BadProperty> {
    let asked = custom::worded(question, facts);
    let page = SearchPage {
        after: after.map(|after| after.0.as_str()),
        limit: PAGE,
    };
    let found = match sought {
        Sought::Subject => domain.search_subjects(&asked, page),
        Sought::Resource => domain.search_resources(&asked, page),
        Sought::Action => domain.search_actions(&asked, page),
    };
    let found = found?;
    let mut results = Vec::with_capacity(found.ids.len());
    for id in &found.ids {
        let mut asked = asked;
        match sought {
            Sought::Subject => asked.subject.id = id,
            Sought::Resource => asked.resource.id = id,
            Sought::Action => asked.action = id,
        }
        let policies = match domain.ask(&asked) {
            Ok(verdict) => verdict.determining,
            Err(Unasked::Unknown(_)) => continue,
            Err(Unasked::Bad(bad)) => return Err(bad),
        };
        results.push(Access {
            subject: Entity::named(asked.subject.of, asked.subject.id),
            action: asked.action.to_owned(),
            resource: Entity::named(asked.resource.of, asked.resource.id),
            policies,
        });
    }
    Ok((results, found.next.flatten()))
}
