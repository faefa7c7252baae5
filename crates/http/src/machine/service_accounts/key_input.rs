//! What requests about keys say.

use crate::extract::json_body::request_body;
use charter_domain::access_key::Overlap;
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::text::Description;
use charter_domain::timestamp::Timestamp;

request_body! {
    /// The members of a POST; each may be left out.
    pub struct KeyInput as "NewKey" {
        default description: Description,
        /// In the future; null or absent: never.
        default expires_at: Option<Timestamp>,
        default ip_allowlist: IpAllowlist,
    }
    const MAY_BE_ABSENT: bool = true;
}

request_body! {
    /// The members of a rotation; each may be left out.
    pub struct RotationInput as "Rotation" {
        /// How long the old key lives on, 0 to 604,800 seconds; a day if left out.
        default overlap as "overlap_seconds": Overlap,
        /// When the new key expires; the old key's length of life again if left out.
        optional expires_at: Option<Timestamp>,
    }
    const MAY_BE_ABSENT: bool = true;
}
