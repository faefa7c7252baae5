//! The IP addresses from which an access key may be used (contract section 4).

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

pub const MAX_ENTRIES: usize = 50;

/// An entry is not an address or a network in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowlistError {
    /// More entries than [`MAX_ENTRIES`].
    #[error("must have at most {MAX_ENTRIES} entries")]
    TooMany,
    /// Neither an address nor a CIDR network.
    #[error("`{0}` is neither an ip address nor a network in CIDR form")]
    Malformed(String),
    /// A network with host bits set, probably by mistake.
    #[error("`{0}` has host bits set, the network is `{1}`")]
    HostBits(String, String),
    /// A network of IPv4-mapped addresses, and of others.
    #[error(
        "`{0}` is wider than the IPv4-mapped addresses, `::ffff:0:0/96`; write IPv4 networks as such"
    )]
    WiderThanMapped(String),
}

/// Networks, in the order given; empty means no restriction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpAllowlist(Vec<IpNet>);

impl IpAllowlist {
    /// Parses CIDR networks and single addresses, IPv4 or IPv6.
    ///
    /// # Errors
    ///
    /// The index of the invalid entry (`None` for the whole list) and the reason.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, (Option<usize>, AllowlistError)> {
        if entries.len() > MAX_ENTRIES {
            return Err((None, AllowlistError::TooMany));
        }
        entries
            .iter()
            .enumerate()
            .map(|(index, entry)| parse_entry(entry.as_ref()).map_err(|error| (Some(index), error)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a client at this address may use the key. IPv4-mapped addresses count as IPv4. The unspecified
    /// address stands for an unknown one, which only an empty list admits.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_listed =
            || !address.is_unspecified() && self.0.iter().any(|network| network.contains(&address));
        self.0.is_empty() || is_listed()
    }

    /// Whether `other` admits every address that this list admits.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        if other.0.is_empty() {
            return true;
        }
        // Several adjacent networks of `other` may cover one of these only together.
        let admitted = IpNet::aggregate(&other.0);
        let covered = |network| admitted.iter().any(|wider| wider.contains(network));
        !self.0.is_empty() && self.0.iter().all(covered)
    }

    /// The entries as text; a single host is written as a bare address.
    #[must_use]
    pub fn to_texts(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|network| {
                if network.prefix_len() == network.max_prefix_len() {
                    network.addr().to_string()
                } else {
                    network.to_string()
                }
            })
            .collect()
    }
}

fn parse_entry(entry: &str) -> Result<IpNet, AllowlistError> {
    let malformed = || AllowlistError::Malformed(entry.to_owned());
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network = canonical(entry.parse().map_err(|_| malformed())?)
        .ok_or_else(|| AllowlistError::WiderThanMapped(entry.to_owned()))?;
    if network != network.trunc() {
        return Err(AllowlistError::HostBits(
            entry.to_owned(),
            network.trunc().to_string(),
        ));
    }
    Ok(network)
}

/// Networks of IPv4-mapped addresses as IPv4 (RFC 4291 section 2.5.5.2); `None` if they have other addresses, too.
fn canonical(network: IpNet) -> Option<IpNet> {
    const MAPPED_BITS: u8 = 96;
    match network {
        IpNet::V6(v6) => match v6.addr().to_ipv4_mapped() {
            Some(v4) => {
                let prefix = v6.prefix_len().checked_sub(MAPPED_BITS)?;
                Ipv4Net::new(v4, prefix).ok().map(IpNet::from)
            }
            None => Some(network),
        },
        IpNet::V4(_) => Some(network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_canonical() {
        let list = IpAllowlist::parse(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"])
            .expect("good entries");
        assert_eq!(
            list.to_texts(),
            ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"]
        );
        for bad in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0",
            "example.org",
            "",
            " 10.0.0.1",
            "::ffff:10.0.0.0/95",
            "::ffff:0:0/0",
            "::ffff:10.0.0.1/104",
            "2001:db8::1/32",
        ] {
            assert!(IpAllowlist::parse(&[bad]).is_err(), "`{bad}` was read");
        }
        assert!(IpAllowlist::parse(&vec!["10.0.0.1"; 50]).is_ok());
        assert_eq!(
            IpAllowlist::parse(&vec!["10.0.0.1"; 51]),
            Err((None, AllowlistError::TooMany))
        );
    }

    #[test]
    fn one_list_is_within_another_if_it_admits_nothing_more() {
        let list = |entries: &[&str]| IpAllowlist::parse(entries).expect("good entries");
        let office = list(&["10.0.0.0/9", "10.128.0.0/9", "2001:db8::/32"]);
        for within in [
            &["10.0.0.0/8"][..],
            &["10.1.2.3", "2001:db8::1"],
            &["10.128.0.0/16"],
        ] {
            assert!(list(within).is_within(&office), "{within:?}");
        }
        for beyond in [
            &[][..],
            &["10.0.0.0/7"],
            &["10.1.2.3", "192.0.2.7"],
            &["::/0"],
        ] {
            assert!(!list(beyond).is_within(&office), "{beyond:?}");
            assert!(list(beyond).is_within(&list(&[])), "{beyond:?}");
        }
    }

    #[test]
    fn an_unknown_address_is_on_no_list() {
        let list = IpAllowlist::parse(&["::/0", "0.0.0.0/0"]).expect("good entries");
        for unknown in ["::", "0.0.0.0", "::ffff:0.0.0.0"] {
            let unknown = unknown.parse().expect("an address");
            assert!(!list.admits(unknown));
            assert!(IpAllowlist::default().admits(unknown));
        }
    }

    #[test]
    fn mapped_addresses_count_as_ipv4() {
        let list = IpAllowlist::parse(&["10.0.0.0/8"]).expect("a good entry");
        assert!(list.admits("::ffff:10.1.2.3".parse().expect("an address")));
        assert!(!list.admits("::ffff:11.1.2.3".parse().expect("an address")));
        assert!(IpAllowlist::default().admits("203.0.113.9".parse().expect("an address")));

        let mapped = [
            "::ffff:1.2.3.0/120",
            "::ffff:1.2.3.4/128",
            "::ffff:0.0.0.0/96",
        ];
        let mapped = IpAllowlist::parse(&mapped).expect("good entries");
        assert_eq!(mapped.to_texts(), ["1.2.3.0/24", "1.2.3.4", "0.0.0.0/0"]);
        for (entry, message) in [
            (
                "::ffff:10.0.0.1/104",
                "`::ffff:10.0.0.1/104` has host bits set, the network is `10.0.0.0/8`",
            ),
            (
                "::ffff:10.0.0.0/95",
                "`::ffff:10.0.0.0/95` is wider than the IPv4-mapped addresses, `::ffff:0:0/96`; \
                 write IPv4 networks as such",
            ),
        ] {
            let (at, error) = IpAllowlist::parse(&["10.0.0.1", entry]).expect_err("refused");
            assert_eq!((at, &*error.to_string()), (Some(1), message));
        }
    }
}
