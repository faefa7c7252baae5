//! Inputs of requests about keys.

use crate::extract::json_body::request_body;
use charter_domain::access_key::Overlap;
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::text::Description;
use charter_domain::timestamp::Timestamp;

request_body! {
    /// All members are optional.
    pub struct KeyInput as "NewKey" {
        default description: Description,
        /// Must be in the future; never if null or absent.
        default expires_at: Option<Timestamp>,
        default ip_allowlist: IpAllowlist,
    }
    const MAY_BE_ABSENT: bool = true;
}

request_body! {
    /// All members are optional.
    pub struct RotationInput as "Rotation" {
        /// How long the old key stays valid, 0 to 604,800 seconds; by default a day.
        default overlap as "overlap_seconds": Overlap,
        /// When the new key expires; by default after the lifetime of the old key.
        optional expires_at: Option<Timestamp>,
    }
    const MAY_BE_ABSENT: bool = true;
}
