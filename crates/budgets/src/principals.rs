//! What each principal uses of its organization's shares: at most half of what the others left. However many use all
//! they may, as much as each of them has is left for one more.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use uuid::Uuid;

use super::meter::Meter;
use super::resource::Resource;
use super::share::Share;
use charter_domain::caller::Caller;
use charter_domain::clock::Clock;
use charter_domain::id::OrganizationId;

/// A principal and its organization: what it uses counts against both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payer {
    pub organization: OrganizationId,
    principal: Uuid,
}

impl Payer {
    #[must_use]
    pub const fn new(organization: OrganizationId, principal: Uuid) -> Self {
        Self {
            organization,
            principal,
        }
    }
}

impl From<&Caller> for Payer {
    fn from(caller: &Caller) -> Self {
        let principal = match caller {
            Caller::ServiceAccount(caller) => caller.service_account().id.uuid(),
            Caller::User(caller) => caller.user().id.uuid(),
        };
        Self {
            organization: caller.organization().id,
            principal,
        }
    }
}

/// What the principals of one organization have used of one resource. Together it is what the organization has used,
/// and it refills for each in proportion to what it used.
#[derive(Default)]
struct Used {
    organization: Meter,
    /// In parts of `organization`: what a principal has used is its part of the sum of all.
    parts: HashMap<Uuid, f64>,
    sum: f64,
}

/// Contains only organizations with recent use.
#[derive(Default)]
pub(super) struct PrincipalMeters(Mutex<HashMap<(Resource, OrganizationId), Used>>);

/// A principal that has used as much as is left for all others.
pub(super) struct Overdrawn {
    /// Half of what the others left, in the resource's unit.
    pub(super) limit: u64,
    pub(super) retry_after: Duration,
}

impl PrincipalMeters {
    pub(super) fn spend(
        &self,
        (resource, share): (Resource, Share),
        payer: Payer,
        amount: u64,
        clock: &dyn Clock,
    ) {
        let mut all = self.0.lock();
        // Read under the lock, so that time never decreases for a meter.
        let now = clock.monotonic();
        let used = all.entry((resource, payer.organization)).or_default();
        used.spend(share, payer.principal, amount, now);
    }

    /// Whether less than half of what others left is used.
    pub(super) fn check(
        &self,
        (resource, share): (Resource, Share),
        payer: Payer,
        clock: &dyn Clock,
    ) -> Result<(), Overdrawn> {
        let all = self.0.lock();
        let now = clock.monotonic();
        let used = all.get(&(resource, payer.organization));
        used.map_or(Ok(()), |used| used.check(share, payer.principal, now))
    }

    pub(super) fn forget_idle(&self, share: impl Fn(Resource) -> Option<Share>, clock: &dyn Clock) {
        let mut all = self.0.lock();
        let now = clock.monotonic();
        all.retain(|(resource, _), used| {
            share(*resource).is_some_and(|share| used.forget_idle(share, now))
        });
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts of a share, which need not be exact to a unit; a cast ends at the limits"
)]
impl Used {
    fn spend(&mut self, share: Share, principal: Uuid, amount: u64, now: Duration) {
        let before = self.organization.used(share, now);
        if before == 0 {
            self.parts.clear();
            self.sum = 0.0;
        }
        self.organization.spend(share, amount, now);
        // An amount is as much of the sum as it is of what is used, refilled or not.
        let part = if before == 0 {
            amount as f64
        } else {
            amount as f64 * self.sum / before as f64
        };
        *self.parts.entry(principal).or_default() += part;
        self.sum += part;
        if self.sum > MOST_PARTS {
            self.parts.values_mut().for_each(|it| *it /= MOST_PARTS);
            self.sum /= MOST_PARTS;
        }
    }

    /// Removes principals that have used less than a unit of what is used now; whether anything is.
    fn forget_idle(&mut self, share: Share, now: Duration) -> bool {
        let all = self.organization.used(share, now) as f64;
        let sum = self.sum;
        self.parts.retain(|_, part| all * *part >= sum);
        all > 0.0
    }

    fn check(&self, share: Share, principal: Uuid, now: Duration) -> Result<(), Overdrawn> {
        let all = self.organization.used(share, now);
        let part = self.parts.get(&principal).copied().unwrap_or(0.0);
        let own = (all as f64 * part / self.sum.max(f64::MIN_POSITIVE)) as u64;
        let over = (all.saturating_add(own).saturating_add(1)).saturating_sub(share.amount());
        if over == 0 || own == 0 {
            return Ok(());
        }
        // Its own part refills along with the whole.
        let refill = over as f64 * all as f64 / (all as f64 + own as f64);
        Err(Overdrawn {
            limit: share.amount().saturating_sub(all.saturating_sub(own)) / 2,
            retry_after: share.time_to_refill(refill.ceil() as u64),
        })
    }
}

/// Before parts lose their precision beside the sum.
const MOST_PARTS: f64 = 1e30;
