//! A question for the policies: principal, permission, resource and facts.

use std::net::IpAddr;

use super::principal::Principal;
use super::resource::Resource;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

/// The contract's tables say which resource goes with which permission.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub principal: &'a Principal,
    pub permission: Permission,
    pub resource: Resource<'a>,
    /// An IPv4-mapped address counts as IPv4.
    pub source_ip: IpAddr,
    /// The server's clock; policies see whole seconds.
    pub now: Timestamp,
}
