//! Searches: whoever or whatever the store finds in question is evaluated, one by one, until the page is full.
//!
//! A search stays within the organization that its question names by a resource or a subject. Nothing is done upon a
//! result, so none is put on record.

use uuid::Uuid;

use charter_authz::kinds::{PrincipalKind, ResourceKind};
use charter_authz::principal::Principal;
use charter_authz::question::Question as PolicyQuestion;
use charter_authz::resource::Resource;
use charter_domain::caller::Caller;
use charter_domain::id::{AccountId, ServiceAccountId, UserId};
use charter_domain::permission::Permission;
use charter_store::{CallerFilter, EntityRef};

use super::BuiltIn;
use crate::access::answer::SearchResults;
use crate::access::page::{Page, bad_token};
use crate::access::question::{Question, Sought};
use crate::access::records::{self, RecordPage};
use crate::extract::loaded::Loaded;
use crate::respond::ApiError;
use crate::state::principal_kind;

impl BuiltIn<'_> {
    pub(crate) async fn search(
        &self,
        question: &Question,
        sought: Sought,
        page: &Page<'_>,
    ) -> Result<SearchResults, ApiError> {
        match sought {
            Sought::Subject => self.subjects(question, page).await,
            Sought::Resource => self.resources(question, page).await,
            Sought::Action => self.actions(question, page).await,
        }
    }

    async fn subjects(
        &self,
        question: &Question,
        page: &Page<'_>,
    ) -> Result<SearchResults, ApiError> {
        let (Some(kind), Ok(permission)) = (
            principal_kind(&question.subject.of),
            question.action.name.parse::<Permission>(),
        ) else {
            return Ok(SearchResults::default());
        };
        let Some(resource) = self.resource(&question.resource).await? else {
            return Ok(SearchResults::default());
        };
        let Some(organization) = resource.organization() else {
            return Ok(SearchResults::default());
        };
        let filter = self.filter(permission, kind, resource.as_resource().kind());
        let named = EntityRef::Organization(organization.id);
        let tenant = self.client.tenant_of(named).await?;
        let mut results = RecordPage::new(page.limit, cursor(page)?);
        while let Some(rows) = results.next_read() {
            let read = records::callers(&tenant, kind, filter.as_ref(), rows).await?;
            let allowed = |caller: Caller| {
                let principal = Principal::prepare(&caller, &self.snapshot);
                let is_allowed = self.is_allowed(&principal, permission, resource.as_resource());
                is_allowed.then(|| caller.principal_id())
            };
            results.take(read, allowed).await;
        }
        Ok(found(results))
    }

    async fn resources(
        &self,
        question: &Question,
        page: &Page<'_>,
    ) -> Result<SearchResults, ApiError> {
        let Ok(permission) = question.action.name.parse::<Permission>() else {
            return Ok(SearchResults::default());
        };
        let Some(principal) = self.subject(&question.subject).await? else {
            return Ok(SearchResults::default());
        };
        let is_allowed = |resource: Resource<'_>| self.is_allowed(&principal, permission, resource);
        let catalogue = self.snapshot.catalogue();
        let organization = principal.caller().organization();
        match question.resource.of.as_str() {
            "Role" => {
                let roles = catalogue
                    .roles()
                    .filter(|name| is_allowed(Resource::Role(name)));
                return Ok(of_names(roles, page));
            }
            "Permission" => {
                let names = catalogue
                    .permissions()
                    .filter(|name| is_allowed(Resource::Permission(name)));
                return Ok(of_names(names, page));
            }
            "Organization" => {
                let id = organization.id.to_string();
                let own = is_allowed(Resource::Organization(organization)).then_some(id.as_str());
                return Ok(of_names(own.into_iter(), page));
            }
            "Account" | "ServiceAccount" | "AccessKey" | "User" => {}
            _ => return Ok(SearchResults::default()),
        }
        let tenant = self
            .client
            .tenant_of(EntityRef::Organization(organization.id))
            .await?;
        let mut results = RecordPage::new(page.limit, cursor(page)?);
        while let Some(rows) = results.next_read() {
            let read = records::read(&tenant, &question.resource.of, organization, rows).await?;
            let allowed = |loaded: Loaded| is_allowed(loaded.as_resource()).then(|| loaded.id());
            results.take(read, allowed).await;
        }
        Ok(found(results))
    }

    async fn actions(
        &self,
        question: &Question,
        page: &Page<'_>,
    ) -> Result<SearchResults, ApiError> {
        let Some(principal) = self.subject(&question.subject).await? else {
            return Ok(SearchResults::default());
        };
        let Some(resource) = self.resource(&question.resource).await? else {
            return Ok(SearchResults::default());
        };
        let resource = resource.as_resource();
        let mut names: Vec<&str> = Permission::ALL
            .iter()
            .filter(|permission| self.is_allowed(&principal, **permission, resource))
            .map(|permission| permission.as_str())
            .collect();
        names.sort_unstable();
        Ok(of_names(names.into_iter(), page))
    }

    fn is_allowed(
        &self,
        principal: &Principal,
        permission: Permission,
        resource: Resource<'_>,
    ) -> bool {
        let question = PolicyQuestion {
            principal,
            permission,
            resource,
            source_ip: self.context.client_ip,
            now: self.now,
        };
        self.snapshot.decide(&question).is_allowed()
    }

    /// Whom the permits' scopes name; `None` looks at everybody.
    fn filter(
        &self,
        permission: Permission,
        kind: PrincipalKind,
        resource: ResourceKind,
    ) -> Option<CallerFilter> {
        let mut filter = CallerFilter::default();
        for named in self.snapshot.named_in_permits(permission, kind, resource)? {
            match named.of.as_str() {
                "Role" => filter.roles.push(named.id),
                "Permission" => filter.permissions.push(named.id),
                // Ids that cannot be are nobody's.
                "ServiceAccount" => filter
                    .service_accounts
                    .extend(named.id.parse::<ServiceAccountId>()),
                "User" => filter.users.extend(named.id.parse::<UserId>()),
                "Account" => filter.accounts.extend(named.id.parse::<AccountId>()),
                _ => return None,
            }
        }
        Some(filter)
    }
}

fn found(page: RecordPage<String>) -> SearchResults {
    let (ids, next) = page.done();
    SearchResults { ids, next }
}

/// The UUID after which the page begins.
fn cursor(page: &Page<'_>) -> Result<Option<Uuid>, ApiError> {
    let after = page.after.as_deref();
    after
        .map(|after| records::position(after).ok_or_else(bad_token))
        .transpose()
}

/// A page of names that are in order.
fn of_names<'n>(names: impl Iterator<Item = &'n str>, page: &Page<'_>) -> SearchResults {
    let after = page.after.as_deref();
    let mut rest = names.filter(|name| after.is_none_or(|after| *name > after));
    let ids: Vec<String> = rest.by_ref().take(page.limit).map(str::to_owned).collect();
    let last = ids.last().cloned();
    let next = rest.next().map(|_| last.or_else(|| page.after.clone()));
    SearchResults { ids, next }
}
