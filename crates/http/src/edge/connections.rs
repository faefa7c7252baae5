//! The open connections of one listener, limited for each client network, and their end when the service stops.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use metrics::Gauge;
use parking_lot::Mutex;
use salvo::conn::ConnCtrl;
use tokio::sync::Notify;

use crate::edge::counted::Counted;
use charter_authn::limits::network;

#[derive(Clone)]
pub(super) struct Connections(Arc<Registry>);

struct Registry {
    per_network: usize,
    exempt: Vec<IpNet>,
    open: Mutex<Open>,
    one_ended: Notify,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, (ConnCtrl, Arc<AtomicBool>)>,
    by_network: HashMap<IpNet, usize>,
}

/// Removed from the registry when dropped.
pub(super) struct OpenConnection {
    registry: Arc<Registry>,
    number: u64,
    network: Option<IpNet>,
    is_http2: Arc<AtomicBool>,
    _gauge: Counted,
}

impl Connections {
    /// Allows at most `per_network` connections from each client network, except exempt ones.
    pub(super) fn new(per_network: usize, exempt: Vec<IpNet>) -> Self {
        Self(Arc::new(Registry {
            per_network,
            exempt,
            open: Mutex::default(),
            one_ended: Notify::new(),
            gauge: metrics::gauge!("charter_http_connections"),
        }))
    }

    /// Adds a connection; `None` if its network has too many.
    pub(super) fn admit(&self, peer: IpAddr, control: &ConnCtrl) -> Option<OpenConnection> {
        let peer = peer.to_canonical();
        let is_exempt = self.0.exempt.iter().any(|exempt| exempt.contains(&peer));
        let network = (!is_exempt).then(|| network(peer));
        let is_http2 = Arc::new(AtomicBool::new(false));
        let mut open = self.0.open.lock();
        if let Some(network) = network {
            let count = open.by_network.entry(network).or_default();
            if *count >= self.0.per_network {
                return None;
            }
            *count += 1;
        }
        let number = open.next;
        open.next += 1;
        let entry = (control.clone(), Arc::clone(&is_http2));
        open.connections.insert(number, entry);
        Some(OpenConnection {
            registry: Arc::clone(&self.0),
            number,
            network,
            is_http2,
            _gauge: Counted::new(&self.0.gauge),
        })
    }

    /// Sends GOAWAY on HTTP/2 connections (RFC 9113 section 6.8); running requests are still answered.
    pub(super) fn tell_http2(&self) {
        for (control, is_http2) in self.0.open.lock().connections.values() {
            if is_http2.load(Ordering::Relaxed) {
                control.graceful_shutdown();
            }
        }
    }

    /// Ends idle connections at once, and the others after their response.
    pub(super) fn finish(&self) {
        for (control, _) in self.0.open.lock().connections.values() {
            control.graceful_shutdown();
        }
    }

    /// Waits until no connection is open.
    pub(super) async fn gone(&self) {
        loop {
            let ended = self.0.one_ended.notified();
            if self.0.open.lock().connections.is_empty() {
                return;
            }
            ended.await;
        }
    }
}

impl OpenConnection {
    /// Marks the connection as HTTP/2.
    pub(super) fn is_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.registry.open.lock();
        open.connections.remove(&self.number);
        if let Some(network) = self.network
            && let Some(count) = open.by_network.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                open.by_network.remove(&network);
            }
        }
        drop(open);
        self.registry.one_ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_has_its_share_and_a_proxy_has_no_limit() {
        let exempt = vec!["10.0.0.0/8".parse().expect("a network")];
        let connections = Connections::new(2, exempt);
        let admit = |peer: &str| {
            let peer = peer.parse().expect("an address");
            connections.admit(peer, &ConnCtrl::new())
        };
        let first = admit("2001:db8::1").expect("the first");
        let _second = admit("2001:db8::2").expect("the second");
        assert!(admit("2001:db8:0:0:ffff::3").is_none(), "the same /64");
        let _other = admit("2001:db8:0:1::1").expect("another network");
        drop(first);
        let _third = admit("2001:db8::3").expect("a free place");
        let _v4 = admit("203.0.113.1").expect("the first");
        let _mapped = admit("::ffff:203.0.113.1").expect("the second");
        assert!(admit("203.0.113.1").is_none());
        let proxies: Vec<_> = (0..5).map(|_| admit("10.1.2.3")).collect();
        assert!(proxies.iter().all(Option::is_some));
    }
}
