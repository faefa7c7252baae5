//! Ids that a policy may name: those that the service generates (contract section 1). A policy with
//! another id would never match.

use std::fmt::Display;
use std::str::FromStr;

use cedar_policy::{EntityId, EntityUid};

use crate::fault::FolderFault;
use crate::kinds::ResourceKind;
use charter_domain::id::{
    AccessKeyId, AccountId, OrganizationId, ServiceAccountId, TypedId as _, UserId,
};

/// The namespace by which a domain of one's own names the store's records.
pub(crate) const STORE_NAMESPACE: &str = "Charter";

/// The fault of an id that no entity can have; `None` for possible ids and for enumerated types.
pub(crate) fn fault(uid: &EntityUid) -> Option<FolderFault> {
    match ResourceKind::of_type(uid.type_name().basename())? {
        ResourceKind::Organization => {
            judge(uid, OrganizationId::PREFIX, OrganizationId::parse_uuid)
        }
        ResourceKind::Account => judge(uid, AccountId::PREFIX, AccountId::parse_uuid),
        ResourceKind::ServiceAccount => {
            judge(uid, ServiceAccountId::PREFIX, ServiceAccountId::parse_uuid)
        }
        ResourceKind::AccessKey => judge(uid, AccessKeyId::PREFIX, AccessKeyId::parse_uuid),
        ResourceKind::User => judge(uid, UserId::PREFIX, UserId::parse_uuid),
        ResourceKind::Role | ResourceKind::Permission => None,
    }
}

/// The same for a domain of one's own, whose other types may have any ids.
pub(crate) fn fault_in_domain(uid: &EntityUid) -> Option<FolderFault> {
    let is_of_store = uid.type_name().namespace() == STORE_NAMESPACE;
    is_of_store.then(|| fault(uid)).flatten()
}

fn judge<Id: FromStr + Display>(
    uid: &EntityUid,
    prefix: &str,
    parse_uuid: impl Fn(&str) -> Option<Id>,
) -> Option<FolderFault> {
    let id = uid.id().unescaped();
    if id.parse::<Id>().is_ok() {
        return None;
    }
    let plain = id.trim().to_ascii_lowercase();
    let meant = plain.parse().ok().or_else(|| parse_uuid(&plain));
    let type_name = uid.type_name();
    let help = match meant {
        Some(meant) => {
            let meant = EntityId::new(meant.to_string());
            let meant = EntityUid::from_type_name_and_id(type_name.clone(), meant);
            format!("write `{meant}`")
        }
        None if plain.starts_with("sa_") => {
            "that is an access key; name its service account, whose id starts with `sa-`".to_owned()
        }
        None => format!(
            "an id of this type is `{prefix}` and 26 characters of `0-9a-z` without `i`, `l`, `o` and `u`, \
             as the API shows it"
        ),
    };
    Some(
        FolderFault::new(format!(
            "no {type_name} can have the id `{}`",
            uid.id().escaped()
        ))
        .help(help),
    )
}
