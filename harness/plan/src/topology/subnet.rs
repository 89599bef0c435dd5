//! IPv4 networks: the base that an environment is given, and the small ones carved from it.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 network in CIDR notation, its host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    address: Ipv4Addr,
    prefix_length: u8,
}

/// Why a text is no subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// Not `a.b.c.d/length`.
    #[error("{0:?} is not an IPv4 network: write it as address/length, as in 10.77.0.0/19")]
    Malformed(String),
    /// Host bits are set.
    #[error("{given} has host bits set: the network is {network}")]
    HostBits {
        /// What was given.
        given: String,
        /// What was probably meant.
        network: Subnet,
    },
    /// Not a private range.
    #[error(
        "{0} is not a private network: choose one inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)"
    )]
    NotPrivate(Subnet),
}

impl Subnet {
    /// The network that holds `address`, `prefix_length` bits (at most 32) long.
    pub fn containing(address: Ipv4Addr, prefix_length: u8) -> Self {
        let prefix_length = prefix_length.min(32);
        Self { address: Ipv4Addr::from(u32::from(address) & mask(prefix_length)), prefix_length }
    }

    /// The first address, which names the network.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The number of fixed bits.
    pub fn prefix_length(&self) -> u8 {
        self.prefix_length
    }

    /// How many addresses it has, the network's own and the broadcast address included.
    pub fn size(&self) -> u64 {
        1 << (32 - u32::from(self.prefix_length))
    }

    /// Whether an address lies in both.
    pub fn overlaps(&self, other: &Subnet) -> bool {
        let shorter = self.prefix_length.min(other.prefix_length);
        u32::from(self.address) & mask(shorter) == u32::from(other.address) & mask(shorter)
    }

    /// Whether every address of `other` lies in this one.
    pub fn contains(&self, other: &Subnet) -> bool {
        self.prefix_length <= other.prefix_length && self.overlaps(other)
    }

    fn is_private(&self) -> bool {
        [
            Self::containing(Ipv4Addr::new(10, 0, 0, 0), 8),
            Self::containing(Ipv4Addr::new(172, 16, 0, 0), 12),
            Self::containing(Ipv4Addr::new(192, 168, 0, 0), 16),
        ]
        .iter()
        .any(|range| range.contains(self))
    }
}

/// The shortest prefix that a carved network may have: what is smaller has no room for NATS and the poller.
const LONGEST_PREFIX: u8 = 28;

/// Gives out networks of a base in order, each as small as its number of hosts allows (a /28 for up to 13).
#[derive(Debug)]
pub(crate) struct Carver {
    base: Subnet,
    next: u64,
}

impl Carver {
    pub(crate) fn new(base: Subnet) -> Self {
        Self { base, next: 0 }
    }

    /// The next network with room for `hosts` containers beside its gateway, or `None` when the base is used up.
    pub(crate) fn carve(&mut self, hosts: usize) -> Option<Subnet> {
        // The network's own address, the broadcast address and the engine's gateway are taken.
        let needed = u64::try_from(hosts).ok()?.checked_add(3)?.checked_next_power_of_two()?;
        let size = needed.max(1 << (32 - LONGEST_PREFIX));
        let start = self.next.checked_next_multiple_of(size)?;
        let end = start.checked_add(size)?;
        if end > self.base.size() {
            return None;
        }
        self.next = end;
        let address = u32::from(self.base.address).checked_add(u32::try_from(start).ok()?)?;
        let prefix_length = u8::try_from(32 - size.trailing_zeros()).ok()?;
        Some(Subnet::containing(Ipv4Addr::from(address), prefix_length))
    }
}

fn mask(prefix_length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix_length)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix_length)
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let malformed = || SubnetError::Malformed(text.to_owned());
        let (address, length) = text.split_once('/').ok_or_else(malformed)?;
        let address: Ipv4Addr = address.parse().map_err(|_| malformed())?;
        let length: u8 = length.parse().map_err(|_| malformed())?;
        if length > 32 {
            return Err(malformed());
        }
        let subnet = Self::containing(address, length);
        if subnet.address != address {
            return Err(SubnetError::HostBits { given: text.to_owned(), network: subnet });
        }
        if !subnet.is_private() {
            return Err(SubnetError::NotPrivate(subnet));
        }
        Ok(subnet)
    }
}

impl TryFrom<String> for Subnet {
    type Error = SubnetError;

    fn try_from(text: String) -> Result<Self, SubnetError> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        subnet.to_string()
    }
}
