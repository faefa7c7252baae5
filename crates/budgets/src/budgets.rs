//! Accounts for what each organization uses of its shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::exhausted::{Exhausted, Holder};
use super::meter::Meter;
use super::near::{Near, nearest};
use super::principals::{Payer, PrincipalMeters};
use super::resource::Resource;
use super::share::Share;
use charter_domain::clock::Clock;
use charter_domain::id::OrganizationId;

const SHARDS: usize = 16;

/// Contains only organizations with recent use.
pub struct Budgets {
    shares: [Option<Share>; Resource::ALL.len()],
    clock: Arc<dyn Clock>,
    organizations: [Mutex<HashMap<OrganizationId, Meters>>; SHARDS],
    principals: PrincipalMeters,
}

/// Indexed by resource.
type Meters = [Meter; Resource::ALL.len()];

impl Budgets {
    /// Resources without a share are unlimited.
    pub fn new(shares: impl IntoIterator<Item = (Resource, Share)>, clock: Arc<dyn Clock>) -> Self {
        let given: HashMap<Resource, Share> = shares.into_iter().collect();
        Self {
            shares: Resource::ALL.map(|resource| given.get(&resource).copied()),
            clock,
            organizations: std::array::from_fn(|_| Mutex::default()),
            principals: PrincipalMeters::default(),
        }
    }

    pub fn unlimited(clock: Arc<dyn Clock>) -> Self {
        Self::new([], clock)
    }

    /// Uses `amount` or nothing. An amount above the whole share is accepted if nothing was used recently. Call it
    /// *before* the work.
    pub fn charge(
        &self,
        resource: Resource,
        organization: OrganizationId,
        amount: u64,
    ) -> Result<(), Exhausted> {
        let Some(share) = self.share(resource) else {
            return Ok(());
        };
        let charged = self.with_meter(resource, organization, |meter, now| {
            meter.charge(share, amount, now)
        });
        charged.map_err(|retry_after| {
            Exhausted::new(Holder::Organization, resource, share.amount(), retry_after)
        })
    }

    /// Uses an amount that was unknown before the work. The share may be overdrawn; then [`Budgets::charge`] fails
    /// until it has refilled.
    pub fn spend(&self, resource: Resource, organization: OrganizationId, amount: u64) {
        if let Some(share) = self.share(resource) {
            self.with_meter(resource, organization, |meter, now| {
                meter.spend(share, amount, now);
            });
        }
    }

    /// Returns an amount that was charged but not used.
    pub fn give_back(&self, resource: Resource, organization: OrganizationId, amount: u64) {
        self.with_meter(resource, organization, |meter, _| meter.give_back(amount));
    }

    /// Whether anything of the share is left. Uses nothing.
    pub fn check(&self, resource: Resource, organization: OrganizationId) -> Result<(), Exhausted> {
        let Some(share) = self.share(resource) else {
            return Ok(());
        };
        let now = self.clock.monotonic();
        let organizations = self.shard(organization).lock();
        let meter = organizations
            .get(&organization)
            .and_then(|meters| meters.get(resource.index()));
        let checked = meter.map_or(Ok(()), |meter| meter.clone().charge(share, 1, now));
        checked.map_err(|retry_after| {
            Exhausted::new(Holder::Organization, resource, share.amount(), retry_after)
        })
    }

    /// Like [`Budgets::spend`], counted against the principal's part, too.
    pub fn spend_as(&self, resource: Resource, payer: Payer, amount: u64) {
        if let Some(share) = self.share(resource) {
            let clock = &*self.clock;
            self.principals
                .spend((resource, share), payer, amount, clock);
            self.spend(resource, payer.organization, amount);
        }
    }

    /// Whether anything is left of the organization's share, and of what the principal may use of it. Uses nothing.
    pub fn check_as(&self, resource: Resource, payer: Payer) -> Result<(), Exhausted> {
        self.check(resource, payer.organization)?;
        self.check_part(resource, payer)
    }

    /// Whether anything is left of what the principal may use of the share. Who has used nothing lately is never
    /// refused, whatever others used. Uses nothing.
    pub fn check_part(&self, resource: Resource, payer: Payer) -> Result<(), Exhausted> {
        let Some(share) = self.share(resource) else {
            return Ok(());
        };
        let checked = self
            .principals
            .check((resource, share), payer, &*self.clock);
        checked.map_err(|it| Exhausted::new(Holder::Principal, resource, it.limit, it.retry_after))
    }

    /// Uses one unit of a concurrent resource until the result is dropped.
    pub fn hold(
        self: &Arc<Self>,
        resource: Resource,
        organization: OrganizationId,
    ) -> Result<Hold, Exhausted> {
        self.charge(resource, organization, 1)?;
        Ok(Hold {
            budgets: Arc::clone(self),
            resource,
            organization,
        })
    }

    /// The share of each organization; `None` if unlimited.
    pub fn share(&self, resource: Resource) -> Option<Share> {
        self.shares.get(resource.index()).copied().flatten()
    }

    /// Removes organizations and principals whose shares are full again. Call it periodically.
    pub fn forget_idle(&self) {
        self.principals
            .forget_idle(|resource| self.share(resource), &*self.clock);
        let now = self.clock.monotonic();
        for organizations in &self.organizations {
            organizations.lock().retain(|_, meters| {
                let mut meters = meters.iter().zip(self.shares);
                meters.any(|(meter, share)| share.is_some_and(|share| meter.used(share, now) > 0))
            });
        }
    }

    /// The organizations nearest to their limits, a few for each resource. Excludes nonces, which the replay guard
    /// counts.
    pub fn near(&self) -> Vec<Near> {
        let now = self.clock.monotonic();
        let mut all = Vec::new();
        for organizations in &self.organizations {
            for (organization, meters) in &*organizations.lock() {
                let meters = Resource::ALL.into_iter().zip(meters).zip(self.shares);
                all.extend(meters.filter_map(|((resource, meter), share)| {
                    let share = share?;
                    Near::of(
                        resource,
                        *organization,
                        meter.used(share, now),
                        share.amount(),
                    )
                }));
            }
        }
        nearest(all)
    }

    fn with_meter<T>(
        &self,
        resource: Resource,
        organization: OrganizationId,
        then: impl FnOnce(&mut Meter, Duration) -> T,
    ) -> T {
        let mut organizations = self.shard(organization).lock();
        // Read under the lock, so that time never decreases for a meter.
        let now = self.clock.monotonic();
        let meters = organizations.entry(organization).or_default();
        let mut unlimited = Meter::default();
        let meter = meters.get_mut(resource.index()).unwrap_or(&mut unlimited);
        then(meter, now)
    }

    fn shard(&self, organization: OrganizationId) -> &Mutex<HashMap<OrganizationId, Meters>> {
        // The low bits of a UUIDv7 are random.
        let [first, ..] = &self.organizations;
        let low = organization.uuid().as_u128() & (SHARDS as u128 - 1);
        let shard = usize::try_from(low).unwrap_or(0);
        self.organizations.get(shard).unwrap_or(first)
    }
}

impl std::fmt::Debug for Budgets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budgets")
            .field("shares", &self.shares)
            .finish_non_exhaustive()
    }
}

/// One unit of a concurrent resource, returned when dropped.
#[derive(Debug)]
pub struct Hold {
    budgets: Arc<Budgets>,
    resource: Resource,
    organization: OrganizationId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budgets.give_back(self.resource, self.organization, 1);
    }
}

#[cfg(test)]
#[path = "budgets_tests.rs"]
mod tests;
