//! What each principal uses of its organization's shares: no more than a part, so that one alone cannot use up what
//! all of them have.

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

#[cfg(test)]
impl Payer {
    pub(super) const fn new(organization: OrganizationId, principal: Uuid) -> Self {
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

/// Contains only principals with recent use.
#[derive(Default)]
pub(super) struct PrincipalMeters(Mutex<HashMap<(Resource, Uuid), Meter>>);

impl PrincipalMeters {
    pub(super) fn spend(
        &self,
        (resource, share): (Resource, Share),
        payer: Payer,
        amount: u64,
        clock: &dyn Clock,
    ) {
        let mut meters = self.0.lock();
        // Read under the lock, so that time never decreases for a meter.
        let now = clock.monotonic();
        let meter = meters.entry((resource, payer.principal)).or_default();
        meter.spend(part(share), amount, now);
    }

    /// The time until something of its part is left.
    pub(super) fn check(
        &self,
        (resource, share): (Resource, Share),
        payer: Payer,
        clock: &dyn Clock,
    ) -> Result<(), Duration> {
        let meters = self.0.lock();
        let meter = meters.get(&(resource, payer.principal));
        let now = clock.monotonic();
        meter.map_or(Ok(()), |meter| meter.clone().charge(part(share), 1, now))
    }

    pub(super) fn forget_idle(&self, share: impl Fn(Resource) -> Option<Share>, clock: &dyn Clock) {
        let mut meters = self.0.lock();
        let now = clock.monotonic();
        meters.retain(|(resource, _), meter| {
            share(*resource).is_some_and(|share| meter.used(part(share), now) > 0)
        });
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

/// The part of one principal: half.
pub(super) fn part(share: Share) -> Share {
    let half = |amount: u64| (amount / 2).max(1);
    match share {
        Share::PerTime { amount, per } => Share::PerTime {
            amount: half(amount),
            per,
        },
        Share::AtOnce(amount) => Share::AtOnce(half(amount)),
    }
}
