//! The networks from which each account was signed in to recently.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use moka::sync::Cache;
use parking_lot::Mutex;

use super::window::remembered;
use charter_domain::email::EmailAddress;

/// The lifetime of a session without a refresh.
const REMEMBERED_FOR: Duration = Duration::from_hours(30 * 24);
/// Networks of one account; the least recently used one is dropped first.
const MOST_NETWORKS: usize = 16;

/// The known networks of each account.
pub(super) struct KnownNetworks(Cache<EmailAddress, Arc<Mutex<VecDeque<IpNet>>>>);

impl KnownNetworks {
    pub(super) fn new() -> Self {
        Self(remembered(REMEMBERED_FOR))
    }

    pub(super) fn has(&self, account: &EmailAddress, network: IpNet) -> bool {
        self.0
            .get(account)
            .is_some_and(|networks| networks.lock().contains(&network))
    }

    pub(super) fn of(&self, account: &EmailAddress) -> Vec<IpNet> {
        let networks = self.0.get(account);
        networks.map_or_else(Vec::new, |networks| {
            networks.lock().iter().copied().collect()
        })
    }

    pub(super) fn add(&self, account: &EmailAddress, network: IpNet) {
        let networks = self.0.get_with(account.clone(), Arc::default);
        let mut networks = networks.lock();
        networks.retain(|known| *known != network);
        networks.push_back(network);
        if networks.len() > MOST_NETWORKS {
            networks.pop_front();
        }
    }

    /// Removes and returns those of an account.
    pub(super) fn forget(&self, account: &EmailAddress) -> Vec<IpNet> {
        let networks = self.0.remove(account);
        networks.map_or_else(Vec::new, |networks| networks.lock().drain(..).collect())
    }
}
