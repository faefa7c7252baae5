//! The client's IP address, as reported by trusted proxies only.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use salvo::http::HeaderMap;
use salvo::http::header::HeaderName;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client whose proxy reported no address: no allowlist with entries admits it.
pub const UNKNOWN: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The socket's peer, unless it is a trusted proxy: then the rightmost address of all `x-forwarded-for` lines that
/// is not a trusted proxy. Addresses further left could be forged by the client.
///
/// Ports and brackets are dropped, and IPv4-mapped addresses count as IPv4. A hop from a trusted proxy that is no
/// address (`unknown`, `_hidden`) is [`UNKNOWN`], never the proxy's own.
#[must_use]
pub fn resolve(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut current = peer.to_canonical();
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).into_iter().collect();
    let hops = lines
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
    for hop in hops {
        if !is_proxy(current) {
            break;
        }
        match address(hop) {
            Some(address) => current = address.to_canonical(),
            None => return UNKNOWN,
        }
    }
    current
}

/// `address`, `address:port`, `[address]` or `[address]:port`.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.map_or_else(
        || hop.parse().ok(),
        |v6| v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    )
    .or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
    .filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use salvo::http::HeaderValue;

    use super::*;

    fn resolved(peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"]
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                X_FORWARDED_FOR,
                HeaderValue::from_str(line).expect("a value"),
            );
        }
        resolve(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_may_name_the_client() {
        for (peer, lines, expected) in [
            ("203.0.113.9", &[][..], "203.0.113.9"),
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, 10.9.9.9"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["192.0.2.66", "198.51.100.1,10.9.9.9"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["198.51.100.1", "10.9.9.9"], "198.51.100.1"),
            ("10.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "::"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.2.2.2"], "::"),
            ("10.0.0.1", &["198.51.100.1,"], "::"),
            ("10.0.0.1", &[""], "::"),
            ("10.0.0.1", &["_hidden"], "::"),
            ("10.0.0.1", &["0.0.0.0"], "::"),
            ("10.0.0.1", &["\"198.51.100.1\""], "::"),
            ("10.0.0.1", &["198.51.100.1:99999"], "::"),
            ("10.0.0.1", &["fe80::1%eth0"], "::"),
            ("10.0.0.1", &["[198.51.100.1]"], "::"),
            ("10.0.0.1", &["198.51.100.1:443"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["198.51.100.1:443, 10.9.9.9:80"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["[::ffff:198.51.100.1]:443"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("::ffff:203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            ("2001:db8::1", &["2001:db8::7"], "2001:db8::1"),
        ] {
            assert_eq!(resolved(peer, lines), expected, "{peer} {lines:?}");
        }
    }
}
