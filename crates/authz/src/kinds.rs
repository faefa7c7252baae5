//! The types of principals and resources, as schema and policies name them.

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    ServiceAccount,
    User,
}

impl PrincipalKind {
    pub(super) const ALL: [Self; 2] = [Self::ServiceAccount, Self::User];

    pub const fn type_name(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::User => "User",
        }
    }

    pub(super) fn of_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    Organization,
    Account,
    ServiceAccount,
    AccessKey,
    User,
    Role,
    Permission,
}

impl ResourceKind {
    const ALL: [Self; 7] = [
        Self::Organization,
        Self::Account,
        Self::ServiceAccount,
        Self::AccessKey,
        Self::User,
        Self::Role,
        Self::Permission,
    ];

    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::Account => "Account",
            Self::ServiceAccount => "ServiceAccount",
            Self::AccessKey => "AccessKey",
            Self::User => "User",
            Self::Role => "Role",
            Self::Permission => "Permission",
        }
    }

    pub(super) fn of_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }
}
