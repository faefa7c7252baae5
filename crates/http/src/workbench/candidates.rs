//! Pages of an organization's records, for evaluation.

use charter_authz::kinds::ResourceKind;
use charter_authz::snapshot::Snapshot;
use charter_domain::id::{AccessKeyId, UserId};
use charter_domain::page::{PageRequest, ResourceOrder};
use charter_store::{EntityRef, ServiceAccountFilter, TenantReader};

use super::named::Named;
use super::sent_folder::refused;
use crate::respond::{ApiError, Detail};

/// Records in one page.
const PAGE: usize = 100;

/// A page of records of one kind.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) records: Vec<Named>,
    /// Start of the next page of the kind.
    pub(super) next: Option<String>,
}

/// The page at a position, or the first one. Pages are in order of creation, so that no record is skipped when others
/// are created or removed between two pages.
pub(super) async fn page(
    tenant: &TenantReader<'_>,
    kind: ResourceKind,
    snapshot: &Snapshot,
    position: Option<&str>,
) -> Result<Candidates, ApiError> {
    let all = |records: Vec<Named>| Candidates {
        records,
        next: None,
    };
    let catalogue = snapshot.catalogue();
    Ok(match kind {
        ResourceKind::Organization => {
            let organization = tenant.organization().await?;
            all(vec![Named::Record(EntityRef::Organization(
                organization.id,
            ))])
        }
        ResourceKind::Role => all(names(catalogue.roles(), Named::Role)),
        ResourceKind::Permission => all(names(catalogue.permissions(), Named::Permission)),
        ResourceKind::User => {
            let members = tenant.list_members().await?;
            let ids = members.into_iter().map(|member| member.id).collect();
            after(ids, position, |id: &UserId| id.to_string(), EntityRef::User)
        }
        ResourceKind::AccessKey => {
            let keys = tenant.all_keys(true).await?;
            let ids = keys.into_iter().map(|key| key.id).collect();
            let text = |id: &AccessKeyId| id.to_string();
            after(ids, position, text, EntityRef::AccessKey)
        }
        ResourceKind::Account => {
            let number = page_number(position)?;
            let page = tenant.list_accounts(oldest_first(number), true).await?;
            let ids = page.results.iter().map(|it| EntityRef::Account(it.id));
            numbered(number, page.results.len(), ids)
        }
        ResourceKind::ServiceAccount => {
            let number = page_number(position)?;
            // Includes deleted ones, so that positions stay the same; they are left out here.
            let filter = ServiceAccountFilter {
                include_inactive: true,
                include_deleted: true,
                ..ServiceAccountFilter::default()
            };
            let page = tenant
                .list_service_accounts(oldest_first(number), filter)
                .await?;
            let live = page.results.iter().filter(|it| it.deleted_at.is_none());
            let ids = live.map(|it| EntityRef::ServiceAccount(it.id));
            numbered(number, page.results.len(), ids)
        }
    })
}

pub(super) fn bad_cursor() -> ApiError {
    let rule = "must be the `next_cursor` of an answer to the same question";
    refused(vec![Detail::new("/cursor", rule)])
}

fn names<'a>(all: impl Iterator<Item = &'a str>, named: fn(String) -> Named) -> Vec<Named> {
    all.map(|name| named(name.to_owned())).collect()
}

/// Ids begin with their time of creation, so sorting by id sorts by creation.
fn after<I: Copy>(
    mut ids: Vec<I>,
    position: Option<&str>,
    text: impl Fn(&I) -> String,
    record: impl Fn(I) -> EntityRef,
) -> Candidates {
    ids.sort_by_key(&text);
    if let Some(position) = position {
        ids.retain(|id| text(id).as_str() > position);
    }
    let is_more = ids.len() > PAGE;
    ids.truncate(PAGE);
    Candidates {
        next: ids.last().filter(|_| is_more).map(&text),
        records: ids
            .into_iter()
            .map(|id| Named::Record(record(id)))
            .collect(),
    }
}

fn oldest_first(page: u64) -> PageRequest<ResourceOrder> {
    PageRequest {
        page,
        quantity: PAGE as u64,
        order: ResourceOrder::CreatedAt,
        descending: false,
    }
}

fn page_number(position: Option<&str>) -> Result<u64, ApiError> {
    let number = position.map_or(Some(1), |position| position.parse().ok());
    number.ok_or_else(bad_cursor)
}

fn numbered(number: u64, found: usize, ids: impl Iterator<Item = EntityRef>) -> Candidates {
    Candidates {
        records: ids.map(Named::Record).collect(),
        next: (found == PAGE).then(|| number.saturating_add(1).to_string()),
    }
}
