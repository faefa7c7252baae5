//! One write transaction: locks, audit events, commit.
//!
//! It locks the organization first, so writes of one tenant are serialized, and no deactivation can come between a
//! check and the write that relies on it.

use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::{Expr, Uuid};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{
    ColumnTrait, ConnectionTrait as _, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait as _,
};

use super::audit::{AuditEntry, bytes_of};
use super::audit_heads::Head;
use super::audit_mac::Link;
use super::chain_end;
use super::changes::ChangeFeed;
use super::connect::{Effect, Transaction};
use super::contention::OrganizationPermit;
use super::entity::{access_key, audit_event, change, organization, stored_time};
use super::lookup::lock;
use super::{Error, Store, TenantReader, TenantWriter};
use charter_budgets::Resource;
use charter_domain::audit::AuditContext;
use charter_domain::id::OrganizationId;
use charter_domain::organization::Organization;
use charter_domain::timestamp::Timestamp;

pub(super) struct Write<'a> {
    pub(super) store: &'a Store,
    pub(super) transaction: Transaction,
    pub(super) by: &'a AuditContext,
    /// Within an organization read once nothing can come between.
    at: Timestamp,
    heads: Vec<Head>,
    /// Ends of chains, as far as they are known.
    links: Vec<(OrganizationId, Link)>,
    /// Changes that the database has not heard of yet; each changes one row.
    pending: Vec<Effect>,
    /// The organizations whose rows it may change.
    locked: Mutex<Vec<OrganizationId>>,
    /// Whether a row has another version than the request demands.
    is_stale: bool,
    /// Bytes added to the database, by organization.
    bytes: Vec<(OrganizationId, u64)>,
    started: Duration,
    /// Dropped last, when the connection is free.
    _permit: Option<OrganizationPermit>,
}

impl Store {
    /// Begins a change outside of existing organizations, such as creating one.
    pub(super) async fn begin<'a>(&'a self, by: &'a AuditContext) -> Result<Write<'a>, Error> {
        if by.actor.is_caller() {
            return Err(Error::Unexpected(
                "a caller changes its own organization alone".into(),
            ));
        }
        self.begin_as(by, None).await
    }

    /// Begins a change within an organization and locks it. An actor with a credential must still be as policy saw
    /// it, in an active organization. For other actors the organization may be deactivated.
    pub(super) async fn begin_within<'a>(
        &'a self,
        id: OrganizationId,
        by: &'a AuditContext,
    ) -> Result<(Write<'a>, Organization), Error> {
        let permit = self.writes.enter(id, self.wait_timeout).await?;
        self.begin_in_turn(id, by, permit).await
    }

    /// The same for what only takes something away, ahead of the organization's other writes.
    pub(super) async fn begin_removal<'a>(
        &'a self,
        id: OrganizationId,
        by: &'a AuditContext,
        wait_timeout: Duration,
    ) -> Result<(Write<'a>, Organization), Error> {
        let permit = self.writes.enter_urgently(id, wait_timeout).await?;
        self.begin_in_turn(id, by, permit).await
    }

    async fn begin_in_turn<'a>(
        &'a self,
        id: OrganizationId,
        by: &'a AuditContext,
        permit: OrganizationPermit,
    ) -> Result<(Write<'a>, Organization), Error> {
        let mut write = self.begin_as(by, Some(permit)).await?;
        let (organization, link) = write.lock_for_actor(id).await?;
        write.at = self.time_of_write(by);
        write.links.extend(link.map(|link| (id, link)));
        Ok((write, organization))
    }

    async fn begin_as<'a>(
        &'a self,
        by: &'a AuditContext,
        permit: Option<OrganizationPermit>,
    ) -> Result<Write<'a>, Error> {
        let started = self.clock.monotonic();
        let transaction = self.writer.begin().await?;
        Ok(Write {
            store: self,
            transaction,
            by,
            at: self.time_of_write(by),
            heads: Vec::new(),
            links: Vec::new(),
            pending: Vec::new(),
            locked: Mutex::default(),
            is_stale: false,
            bytes: Vec::new(),
            started,
            // The one writer's turn has come, and the next of the organization may wait for its own.
            _permit: permit.filter(|_| !self.has_one_writer()),
        })
    }
}

impl Store {
    /// Now; but no change happens before its request came, even if the clock was set back.
    fn time_of_write(&self, by: &AuditContext) -> Timestamp {
        stored_time(Ord::max(self.clock.now(), by.at))
    }
}

impl TenantWriter<'_> {
    /// Begins a change of this tenant's data. The organization is locked, must be active, and must have budget for
    /// changes and stored bytes.
    pub(super) async fn begin(&self) -> Result<(Write<'_>, Organization), Error> {
        if self.only_removes {
            return self.begin_removal().await;
        }
        // Operators and the service itself have no budget.
        if self.by.actor.is_caller() {
            let TenantReader { store, scope } = self.tenant;
            let id = scope.organization_id();
            store.budgets.check(Resource::StoredBytes, id)?;
            store.budgets.charge(Resource::Writes, id, 1)?;
        }
        let TenantReader { store, scope } = self.tenant;
        let begun = store.begin_within(scope.organization_id(), &self.by).await;
        require_active(begun?)
    }

    /// The same without budgets and ahead of the organization's other writes, for removals: a leaked key can be
    /// revoked whatever it has used up, and however it floods.
    pub(super) async fn begin_removal(&self) -> Result<(Write<'_>, Organization), Error> {
        let TenantReader { store, scope } = self.tenant;
        let id = scope.organization_id();
        let begun = store.begin_removal(id, &self.by, store.wait_timeout).await;
        require_active(begun?)
    }
}

impl Write<'_> {
    /// When the change happens, as stored: after it has waited for the locks, so that it sees as over what earlier
    /// changes have ended.
    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    /// Locks an organization. To avoid deadlocks, the only other organization that a write may lock is an
    /// unverified registration, whose writers lock no other organization.
    pub(super) async fn lock_organization(
        &self,
        id: OrganizationId,
    ) -> Result<Organization, Error> {
        self.locks(id);
        lock(
            organization::Entity::find_by_id(id.uuid()),
            &self.transaction,
        )
        .await
    }

    /// Notes that it may change this organization.
    pub(super) fn locks(&self, id: OrganizationId) {
        self.locked.lock().push(id);
    }

    /// Revokes the active ones of these keys. Locks them by id first, in the order in which times of last use are
    /// written, to avoid deadlocks.
    pub(super) async fn revoke_keys(&self, which: Expr) -> Result<(), Error> {
        let live = access_key::Column::RevokedAt.is_null().and(which);
        access_key::Entity::find()
            .select_only()
            .column(access_key::Column::Id)
            .filter(live.clone())
            .order_by_asc(access_key::Column::Id)
            .lock_exclusive()
            .into_tuple::<Uuid>()
            .all(&self.transaction)
            .await?;
        access_key::Entity::update_many()
            .set(access_key::revoked(self.at()))
            .filter(live)
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Appends an event to the organization's chain.
    pub(super) async fn record(
        &mut self,
        organization: OrganizationId,
        entry: AuditEntry,
    ) -> Result<(), Error> {
        let link = self.take_link(organization).await?;
        let log = &self.store.audit;
        let event = log.event(organization.uuid(), &link, self.by, self.at, entry)?;
        self.heads.push(Head::of(&event));
        self.bytes.push((organization, bytes_of(&event)));
        let link = Link::new(event.sequence, &event.mac)?;
        self.links.push((organization, link));
        self.will_change(audit_event::Entity::insert(event.into_active_model()).into_query());
        Ok(())
    }

    async fn take_link(&mut self, organization: OrganizationId) -> Result<Link, Error> {
        if let Some(known) = self.links.iter().position(|(of, _)| *of == organization) {
            return Ok(self.links.swap_remove(known).1);
        }
        let backend = self.transaction.get_database_backend();
        let query = chain_end::query(organization, backend);
        let row = self.transaction.query_one(&query).await?;
        row.map_or(Ok(Link::ORIGIN), |row| chain_end::read(&row))
    }

    /// Changes one row with the commit at the latest.
    pub(super) fn will_change(&mut self, effect: impl Into<Effect>) {
        self.pending.push(effect.into());
    }

    /// Tells the database what has been changed so far.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if a guard found another row than was read; [`Error::SlugTaken`].
    pub(super) async fn apply(&mut self) -> Result<(), Error> {
        let effects = std::mem::take(&mut self.pending);
        if effects.is_empty() || self.transaction.run_together(effects).await? {
            Ok(())
        } else {
            Err(Error::Stale)
        }
    }

    /// Appends an event to the installation's chain, whose lock the transaction holds. Returns the event's number.
    pub(super) async fn record_for_installation(
        &mut self,
        entry: AuditEntry,
    ) -> Result<i64, Error> {
        let log = &self.store.audit;
        let (sequence, head) = log
            .append_for_installation(&self.transaction, self.by, entry)
            .await?;
        self.heads.push(head);
        Ok(sequence)
    }

    /// Ends a write that found nothing to change. What it found may be another write's, which is not
    /// committed before this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if the request's precondition fails; [`Error::Unexpected`] if changes wait for a commit: they
    /// would be lost.
    pub(super) async fn confirm(self) -> Result<(), Error> {
        self.require_precondition()?;
        if !self.pending.is_empty() {
            return Err(Error::Unexpected(
                "a write with changes ends without them".into(),
            ));
        }
        self.transaction.commit().await
    }

    /// Compares the version that the request demands with the current one, for the end of the write.
    pub(super) fn demand_version(&mut self, demanded: Option<i64>, current: i64) {
        self.is_stale |= demanded.is_some_and(|demanded| demanded != current);
    }

    /// Comes last: whatever else refuses the request takes precedence (RFC 9110 section 13.2.1).
    fn require_precondition(&self) -> Result<(), Error> {
        if self.by.precondition_failed || self.is_stale {
            Err(Error::Stale)
        } else {
            Ok(())
        }
    }

    /// Commits and publishes the new heads. Dropping a write before that rolls it back. [`Error::Stale`] if the
    /// request's precondition fails.
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        let organizations = std::mem::take(self.locked.get_mut());
        self.add_change_rows(&organizations);
        if let Err(stale) = self.require_precondition() {
            self.apply().await?;
            return Err(stale);
        }
        let effects = std::mem::take(&mut self.pending);
        let committed = {
            // A commit whose answer is lost may have happened, so cached rows are invalid.
            let _epoch = NextEpoch {
                changes: &self.store.changes,
                organizations,
            };
            self.transaction.commit_with(effects).await
        };
        let taken = self.store.clock.monotonic().saturating_sub(self.started);
        let metrics = &self.store.write_metrics;
        metrics.seconds.record(taken.as_secs_f64());
        if !committed? {
            return Err(Error::Stale);
        }
        for (organization, bytes) in &self.bytes {
            let budgets = &self.store.budgets;
            budgets.spend(Resource::StoredBytes, *organization, *bytes);
        }
        let events = self.heads.len().try_into().unwrap_or(u64::MAX);
        metrics.audit_events.increment(events);
        self.store.audit.publish(&self.heads);
        Ok(())
    }
}

impl Write<'_> {
    /// Leaves a row for each organization whose rows may have changed; they are read once it has committed. Events of
    /// the installation change no organization's.
    fn add_change_rows(&mut self, organizations: &[OrganizationId]) {
        for organization in organizations {
            let row = change::ActiveModel {
                organization_id: Set(Some(organization.uuid())),
                ..Default::default()
            };
            self.will_change(change::Entity::insert(row).into_query());
        }
    }
}

struct NextEpoch<'a> {
    changes: &'a dyn ChangeFeed,
    /// Those whose rows may have changed.
    organizations: Vec<OrganizationId>,
}

impl Drop for NextEpoch<'_> {
    fn drop(&mut self) {
        self.changes.advance(&self.organizations);
    }
}

fn require_active(begun: (Write<'_>, Organization)) -> Result<(Write<'_>, Organization), Error> {
    if begun.1.is_active {
        Ok(begun)
    } else {
        Err(Error::OrganizationInactive)
    }
}

/// Fails if a guarded update has not changed exactly one row.
pub(super) fn one_row(changed: u64) -> Result<(), Error> {
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::Stale)
    }
}
