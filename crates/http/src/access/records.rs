//! Records of the store as the candidates of a search: read in the order of their ids, until a page is full.

use uuid::Uuid;

use charter_authz::kinds::PrincipalKind;
use charter_domain::caller::Caller;
use charter_domain::id::{AccessKeyId, AccountId, ServiceAccountId, UserId};
use charter_domain::organization::Organization;
use charter_store::{self as store, CallerFilter, Scanned, TenantReader};

use crate::extract::loaded::Loaded;

/// The most rows that one page looks at; then it ends early, with a token.
const MAX_EXAMINED: usize = 2_000;
/// How many rows are read at once.
const MIN_READ: usize = 64;
const MAX_READ: usize = 500;
/// After so many candidates other requests have their turn.
const YIELD_EVERY: usize = 32;

/// Which rows are read next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRange {
    after: Option<Uuid>,
    limit: u64,
}

/// Active service accounts or users.
pub(crate) async fn callers(
    tenant: &TenantReader<'_>,
    kind: PrincipalKind,
    filter: Option<&CallerFilter>,
    rows: RowRange,
) -> Result<Scanned<Caller>, store::Error> {
    let RowRange { after, limit } = rows;
    match kind {
        PrincipalKind::ServiceAccount => tenant.service_accounts_who(filter, after, limit).await,
        PrincipalKind::User => tenant.users_who(filter, after, limit).await,
    }
}

/// The organization itself, or its accounts, service accounts, access keys, or users, whatever their state.
pub(crate) async fn read(
    tenant: &TenantReader<'_>,
    of: &str,
    organization: &Organization,
    RowRange { after, limit }: RowRange,
) -> Result<Scanned<Loaded>, store::Error> {
    let own = || organization.clone();
    Ok(match of {
        "Organization" => {
            let uuid = organization.id.uuid();
            let is_next = after.is_none_or(|after| uuid > after);
            let found = is_next.then(|| (uuid, Loaded::Organization(own())));
            Scanned {
                found: found.into_iter().collect(),
                next: None,
            }
        }
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

pub(crate) fn map<T, U>(read: Scanned<T>, with: impl Fn(T) -> U) -> Scanned<U> {
    Scanned {
        found: read
            .found
            .into_iter()
            .map(|(id, it)| (id, with(it)))
            .collect(),
        next: read.next,
    }
}

/// The UUID of an id after which a page begins.
pub(crate) fn position(after: &str) -> Option<Uuid> {
    None.or_else(|| after.parse().ok().map(ServiceAccountId::uuid))
        .or_else(|| after.parse().ok().map(UserId::uuid))
        .or_else(|| after.parse().ok().map(AccountId::uuid))
        .or_else(|| after.parse().ok().map(AccessKeyId::uuid))
        .or_else(|| after.parse().ok())
}

/// A page that fills up.
pub(crate) struct RecordPage<T> {
    limit: usize,
    found: Vec<T>,
    after: Option<Uuid>,
    examined: usize,
    is_over: bool,
}

impl<T> RecordPage<T> {
    pub(crate) const fn new(limit: usize, after: Option<Uuid>) -> Self {
        Self {
            limit,
            found: Vec::new(),
            after,
            examined: 0,
            is_over: false,
        }
    }

    /// What to read; `None` if the page is complete.
    pub(crate) fn next_read(&self) -> Option<RowRange> {
        let missing = self.limit.saturating_sub(self.found.len());
        if self.is_over || missing == 0 || self.examined >= MAX_EXAMINED {
            return None;
        }
        // One more than is missing tells whether it is the last page.
        let rows = (missing + 1).clamp(MIN_READ, MAX_READ);
        Some(RowRange {
            after: self.after,
            limit: u64::try_from(rows).ok()?,
        })
    }

    /// Adds what `wanted` makes of each candidate, as far as there is room.
    pub(crate) async fn take<I>(&mut self, read: Scanned<I>, wanted: impl Fn(I) -> Option<T>) {
        for (uuid, item) in read.found {
            if self.found.len() == self.limit {
                return;
            }
            self.found.extend(wanted(item));
            self.after = Some(uuid);
            self.examined += 1;
            if self.examined.is_multiple_of(YIELD_EVERY) {
                tokio::task::yield_now().await;
            }
        }
        self.is_over = read.next.is_none();
        self.after = read.next.or(self.after);
    }

    /// What was found, and after which id the next page begins, `Some(None)` at the start; `None` at the end.
    pub(crate) fn done(self) -> (Vec<T>, Option<Option<String>>) {
        let at = self.after.map(|uuid| uuid.hyphenated().to_string());
        (self.found, (!self.is_over).then_some(at))
    }
}
