//! The open connections of one listener, limited for each client network, and their end when the service stops.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use ipnet::IpNet;
use metrics::Gauge;
use parking_lot::{Mutex, RwLock};
use salvo::conn::ConnCtrl;
use tokio::sync::Notify;

use crate::edge::counted::Counted;
use charter_authn::limits::network;

#[derive(Clone)]
pub(super) struct Connections(Arc<Registry>);

struct Registry {
    /// From this number on, a new connection closes one without a request.
    crowd: usize,
    per_network: usize,
    exempt: Vec<IpNet>,
    open: Mutex<Open>,
    by_address: RwLock<HashMap<Address, Arc<Usage>>>,
    one_ended: Notify,
    gauge: Gauge,
}

/// The client's side, and the address it connected to.
type Address = (SocketAddr, IpAddr);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, (ConnCtrl, Arc<Usage>)>,
    by_network: HashMap<IpNet, usize>,
}

/// The requests of one connection.
#[derive(Debug, Default)]
struct Usage {
    is_http2: AtomicBool,
    begun: AtomicU64,
    running: AtomicUsize,
}

/// Counts as running until dropped.
pub(super) struct RunningRequest(Arc<Usage>);

/// Removed from the registry when dropped.
pub(super) struct OpenConnection {
    registry: Arc<Registry>,
    number: u64,
    address: Address,
    network: Option<IpNet>,
    usage: Arc<Usage>,
    _gauge: Counted,
}

impl Connections {
    /// Allows at most `per_network` connections from each client network, except exempt ones. From `crowd`
    /// connections on, each new one closes another that has no request.
    pub(super) fn new(crowd: usize, per_network: usize, exempt: Vec<IpNet>) -> Self {
        Self(Arc::new(Registry {
            crowd,
            per_network,
            exempt,
            open: Mutex::default(),
            by_address: RwLock::default(),
            one_ended: Notify::new(),
            gauge: metrics::gauge!("charter_http_connections"),
        }))
    }

    /// Adds a connection; `None` if its network has too many.
    pub(super) fn admit(
        &self,
        remote: SocketAddr,
        local: IpAddr,
        control: &ConnCtrl,
    ) -> Option<OpenConnection> {
        let peer = remote.ip().to_canonical();
        let is_exempt = self.0.exempt.iter().any(|exempt| exempt.contains(&peer));
        let network = (!is_exempt).then(|| network(peer));
        let usage = Arc::<Usage>::default();
        let mut open = self.0.open.lock();
        if let Some(network) = network {
            let count = open.by_network.entry(network).or_default();
            if *count >= self.0.per_network {
                return None;
            }
            *count += 1;
        }
        if open.connections.len() >= self.0.crowd {
            open.close_one_without_request();
        }
        let number = open.next;
        open.next += 1;
        let entry = (control.clone(), Arc::clone(&usage));
        open.connections.insert(number, entry);
        drop(open);
        let address = (remote, local);
        let known = Arc::clone(&usage);
        self.0.by_address.write().insert(address, known);
        Some(OpenConnection {
            registry: Arc::clone(&self.0),
            number,
            address,
            network,
            usage,
            _gauge: Counted::new(&self.0.gauge),
        })
    }

    /// Counts a request of the connection as running; also returns how many the connection has had with it.
    pub(super) fn begin(&self, remote: SocketAddr, local: IpAddr) -> Option<(RunningRequest, u64)> {
        let usage = self.0.by_address.read().get(&(remote, local)).cloned()?;
        usage.running.fetch_add(1, Ordering::Relaxed);
        let begun = usage.begun.fetch_add(1, Ordering::Relaxed) + 1;
        Some((RunningRequest(usage), begun))
    }

    /// Sends GOAWAY on HTTP/2 connections (RFC 9113 section 6.8); running requests are still answered.
    pub(super) fn tell_http2(&self) {
        for (control, usage) in self.0.open.lock().connections.values() {
            if usage.is_http2.load(Ordering::Relaxed) {
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
        self.usage.is_http2.store(true, Ordering::Relaxed);
    }
}

impl Open {
    /// Connections that never had a request go first, then the oldest.
    fn close_one_without_request(&self) {
        let idle = self.connections.iter().filter(|(_, (control, usage))| {
            usage.running.load(Ordering::Relaxed) == 0 && !control.is_aborted()
        });
        let first = idle
            .min_by_key(|(number, (_, usage))| (usage.begun.load(Ordering::Relaxed) > 0, **number));
        if let Some((_, (control, _))) = first {
            tracing::debug!("closing a connection without a request to make room for another");
            control.abort();
        }
    }
}

impl RunningRequest {
    /// Counts it as running as long as its connection is open.
    pub(super) fn keep(self) {
        self.0.running.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
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
        let mut by_address = self.registry.by_address.write();
        // After a reset, the address may belong to another connection already.
        if let Entry::Occupied(known) = by_address.entry(self.address)
            && Arc::ptr_eq(known.get(), &self.usage)
        {
            known.remove();
        }
        drop(by_address);
        self.registry.one_ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn one_network_has_its_share_and_a_proxy_has_no_limit() {
        let exempt = vec!["10.0.0.0/8".parse().expect("a network")];
        let connections = Connections::new(usize::MAX, 2, exempt);
        let admit = |peer: &str| {
            let peer: IpAddr = peer.parse().expect("an address");
            connections.admit((peer, 1).into(), LOCAL, &ConnCtrl::new())
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

    #[test]
    fn the_oldest_connection_without_a_request_gives_way_to_new_ones() {
        let connections = Connections::new(4, 100, Vec::new());
        let admit = |port: u16| {
            let control = ConnCtrl::new();
            let open = connections.admit(([203, 0, 113, 1], port).into(), LOCAL, &control);
            (open.expect("a place"), control)
        };
        let begin = |port: u16| {
            let begun = connections.begin(([203, 0, 113, 1], port).into(), LOCAL);
            begun.expect("it is open")
        };
        let [busy, idle, silent, streaming] = [1, 2, 3, 4].map(admit);
        let (_running, number) = begin(1);
        assert_eq!(number, 1);
        drop(begin(2));
        begin(4).0.keep();
        let closed =
            || [&busy, &idle, &silent, &streaming].map(|(_, control)| control.is_aborted());
        let fifth = admit(5);
        assert_eq!(closed(), [false, false, true, false]);
        let sixth = admit(6);
        assert!(fifth.1.is_aborted(), "it never had a request");
        assert_eq!(begin(6).1, 1);
        drop(sixth);
        assert!(
            connections
                .begin(([203, 0, 113, 1], 6).into(), LOCAL)
                .is_none()
        );
        let _seventh = admit(7);
        assert_eq!(closed(), [false, true, true, false]);
    }
}
