//! Where an organization's documents may be kept (contract section 5).

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// `ca-central-1`
    CaCentral1,
    /// `us-east-2`
    UsEast2,
    /// `eu-central-1`
    EuCentral1,
}

impl Region {
    /// In the contract's order; a new organization may use all of them.
    pub const ALL: [Self; 3] = [Self::CaCentral1, Self::UsEast2, Self::EuCentral1];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CaCentral1 => "ca-central-1",
            Self::UsEast2 => "us-east-2",
            Self::EuCentral1 => "eu-central-1",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| region.as_str() == text)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
