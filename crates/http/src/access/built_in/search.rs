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
use charter_domain::id::{AccessKeyId, AccountId, ServiceAccountId, UserId};
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_store::{CallerFilter, EntityRef, Scanned, TenantReader};

use super::BuiltIn;
use crate::access::answer::Found;
use crate::access::page::{Page, bad_token};
use crate::access::question::{Question, Sought};
use crate::extract::loaded::Loaded;
use crate::respond::ApiError;
use crate::state::principal_kind;

/// The most rows that one page looks at; then it ends early, with a token.
const MAX_EXAMINED: usize = 2_000;
/// Rows read at once.
const MIN_READ: usize = 64;
const MAX_READ: usize = 500;
/// After so many evaluations other requests have their turn.
const YIELD_EVERY: usize = 32;

impl BuiltIn<'_> {
    pub(crate) async fn search(
        &self,
        question: &Question,
        sought: Sought,
        page: &Page<'_>,
    ) -> Result<Found, ApiError> {
        match sought {
            Sought::Subject => self.subjects(question, page).await,
            Sought::Resource => self.resources(question, page).await,
            Sought::Action => self.actions(question, page).await,
        }
    }

    async fn subjects(&self, question: &Question, page: &Page<'_>) -> Result<Found, ApiError> {
        let (Some(kind), Ok(permission)) = (
            principal_kind(&question.subject.of),
            question.action.name.parse::<Permission>(),
        ) else {
            return Ok(Found::default());
        };
        let Some(resource) = self.resource(&question.resource).await? else {
            return Ok(Found::default());
        };
        let Some(organization) = resource.organization() else {
            return Ok(Found::default());
        };
        let filter = self.filter(permission, kind, resource.as_resource().kind());
        let named = EntityRef::Organization(organization.id);
        let tenant = self.client.tenant_of(named).await?;
        let mut results = Results::new(page, cursor(page)?);
        while let Some(limit) = results.next_read() {
            let (filter, after) = (filter.as_ref(), results.after);
            let read = match kind {
                PrincipalKind::ServiceAccount => {
                    tenant.service_accounts_who(filter, after, limit).await?
                }
                PrincipalKind::User => tenant.users_who(filter, after, limit).await?,
            };
            let is_allowed = |caller: &Caller| {
                let principal = Principal::prepare(caller, &self.snapshot);
                self.is_allowed(&principal, permission, resource.as_resource())
            };
            results.take(read, is_allowed, Caller::principal_id).await;
        }
        Ok(results.found())
    }

    async fn resources(&self, question: &Question, page: &Page<'_>) -> Result<Found, ApiError> {
        let Ok(permission) = question.action.name.parse::<Permission>() else {
            return Ok(Found::default());
        };
        let Some(principal) = self.subject(&question.subject).await? else {
            return Ok(Found::default());
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
            _ => return Ok(Found::default()),
        }
        let tenant = self
            .client
            .tenant_of(EntityRef::Organization(organization.id))
            .await?;
        let mut results = Results::new(page, cursor(page)?);
        while let Some(limit) = results.next_read() {
            let of = &question.resource.of;
            let read = read(&tenant, of, organization, results.after, limit).await?;
            let is_allowed = |loaded: &Loaded| is_allowed(loaded.as_resource());
            results.take(read, is_allowed, Loaded::id).await;
        }
        Ok(results.found())
    }

    async fn actions(&self, question: &Question, page: &Page<'_>) -> Result<Found, ApiError> {
        let Some(principal) = self.subject(&question.subject).await? else {
            return Ok(Found::default());
        };
        let Some(resource) = self.resource(&question.resource).await? else {
            return Ok(Found::default());
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

async fn read(
    tenant: &TenantReader<'_>,
    of: &str,
    organization: &Organization,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Scanned<Loaded>, ApiError> {
    let own = || organization.clone();
    Ok(match of {
        "Account" => {
            let read = tenant.accounts_from(after, limit).await?;
            map(read, |account| Loaded::Account(account, own()))
        }
        "ServiceAccount" => {
            let read = tenant.service_accounts_from(after, limit).await?;
            map(read, |(service_account, account)| {
                Loaded::ServiceAccount(service_account, account, own())
            })
        }
        "AccessKey" => {
            let read = tenant.keys_from(after, limit).await?;
            map(read, |(key, service_account, account)| {
                Loaded::AccessKey(key, service_account, account, own())
            })
        }
        _ => {
            let read = tenant.members_from(after, limit).await?;
            map(read, |user| Loaded::User(user, own()))
        }
    })
}

fn map<T, U>(read: Scanned<T>, with: impl Fn(T) -> U) -> Scanned<U> {
    Scanned {
        found: read
            .found
            .into_iter()
            .map(|(id, it)| (id, with(it)))
            .collect(),
        next: read.next,
    }
}

/// The UUID after which the page begins.
fn cursor(page: &Page<'_>) -> Result<Option<Uuid>, ApiError> {
    let Some(after) = &page.after else {
        return Ok(None);
    };
    let uuid = None
        .or_else(|| after.parse().ok().map(ServiceAccountId::uuid))
        .or_else(|| after.parse().ok().map(UserId::uuid))
        .or_else(|| after.parse().ok().map(AccountId::uuid))
        .or_else(|| after.parse().ok().map(AccessKeyId::uuid))
        .or_else(|| after.parse().ok());
    uuid.map(Some).ok_or_else(bad_token)
}

/// A page of names that are in order.
fn of_names<'n>(names: impl Iterator<Item = &'n str>, page: &Page<'_>) -> Found {
    let after = page.after.as_deref().unwrap_or_default();
    let mut rest = names.filter(|name| *name > after);
    let ids: Vec<String> = rest.by_ref().take(page.limit).map(str::to_owned).collect();
    let next = rest
        .next()
        .map(|_| ids.last().map_or_else(|| after.to_owned(), Clone::clone));
    Found { ids, next }
}

/// A page that fills up.
struct Results {
    limit: usize,
    ids: Vec<String>,
    after: Option<Uuid>,
    examined: usize,
    is_over: bool,
}

impl Results {
    const fn new(page: &Page<'_>, after: Option<Uuid>) -> Self {
        Self {
            limit: page.limit,
            ids: Vec::new(),
            after,
            examined: 0,
            is_over: false,
        }
    }

    /// How many rows to read; `None` if the page is complete.
    fn next_read(&self) -> Option<u64> {
        let missing = self.limit.saturating_sub(self.ids.len());
        if self.is_over || missing == 0 || self.examined >= MAX_EXAMINED {
            return None;
        }
        // One more than is missing tells whether it is the last page.
        let rows = (missing + 1).clamp(MIN_READ, MAX_READ);
        u64::try_from(rows).ok()
    }

    async fn take<T>(
        &mut self,
        read: Scanned<T>,
        is_allowed: impl Fn(&T) -> bool,
        id: impl Fn(&T) -> String,
    ) {
        for (uuid, item) in read.found {
            if self.ids.len() == self.limit {
                return;
            }
            if is_allowed(&item) {
                self.ids.push(id(&item));
            }
            self.after = Some(uuid);
            self.examined += 1;
            if self.examined.is_multiple_of(YIELD_EVERY) {
                tokio::task::yield_now().await;
            }
        }
        self.is_over = read.next.is_none();
        self.after = read.next.or(self.after);
    }

    fn found(self) -> Found {
        let at = self.after.map(|uuid| uuid.hyphenated().to_string());
        Found {
            ids: self.ids,
            next: if self.is_over {
                None
            } else {
                Some(at.unwrap_or_default())
            },
        }
    }
}
