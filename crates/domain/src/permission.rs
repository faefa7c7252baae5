//! The catalogue of permissions: every action that policies decide on.

use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no permission `{0}`")]
pub struct UnknownPermission(pub String);

macro_rules! permissions {
    ($($variant:ident = $name:literal,)+) => {
        /// One permission; its text is the id of the Cedar action (contract sections 4 to 6).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Permission {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl Permission {
            /// In the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As in policies, service accounts and the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

permissions! {
    GetOrganization = "organizations:GetOrganization",
    UpdateOrganization = "organizations:UpdateOrganization",
    UpdateSettings = "organizations:UpdateSettings",
    DeactivateOrganization = "organizations:DeactivateOrganization",
    ListAccounts = "accounts:ListAccounts",
    CreateAccount = "accounts:CreateAccount",
    GetAccount = "accounts:GetAccount",
    UpdateAccount = "accounts:UpdateAccount",
    ListServiceAccounts = "service-accounts:ListServiceAccounts",
    CreateServiceAccount = "service-accounts:CreateServiceAccount",
    GetServiceAccount = "service-accounts:GetServiceAccount",
    UpdateServiceAccount = "service-accounts:UpdateServiceAccount",
    DeleteServiceAccount = "service-accounts:DeleteServiceAccount",
    ListDeletedServiceAccounts = "service-accounts:ListDeleted",
    ListKeys = "service-accounts:ListKeys",
    CreateKey = "service-accounts:CreateKey",
    RotateKey = "service-accounts:RotateKey",
    RevokeKey = "service-accounts:RevokeKey",
    ExtendKey = "service-accounts:ExtendKey",
    AssignServiceAccountRole = "service-accounts:AssignRole",
    GrantPermission = "service-accounts:GrantPermission",
    GetDecision = "decisions:GetDecision",
    ListDecisions = "decisions:ListDecisions",
    ListEvents = "audit:ListEvents",
    ListPermissions = "permissions:ListPermissions",
    ListMembers = "team:ListMembers",
    InviteMember = "team:InviteMember",
    ChangeRole = "team:ChangeRole",
    RemoveMember = "team:RemoveMember",
    AssignTeamRole = "team:AssignRole",
    EndOwnSession = "me:EndSession",
    ChangeOwnPassword = "me:ChangePassword",
    VerifyOwnEmail = "me:VerifyEmail",
    Normalize = "normalization:Normalize",
}

impl Permission {
    /// Its index in [`Permission::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.as_str() == text)
            .ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}
