//! What an operation of the API says of itself: its permission, its input, and the object that
//! policy is asked about. `authorized.rs` does the rest, so that no handler can forget to ask.

use std::future::Future;

use charter_authz::resource::Resource;
use charter_domain::caller::Caller;
use charter_domain::permission::Permission;
use charter_store::TenantReader;

use crate::extract::input::Input;
use crate::respond::{ApiError, Challenge, ErrorType};

/// Which credentials an operation takes (contract sections 4 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// Signed requests only.
    Signed,
    /// A portal user's bearer token only.
    Bearer,
    /// A signed request or a portal user's bearer token; policy decides who may.
    SignedOrBearer,
}

impl From<Accepts> for Challenge {
    fn from(accepts: Accepts) -> Self {
        match accepts {
            Accepts::Signed => Self::Signed,
            Accepts::Bearer => Self::Bearer,
            Accepts::SignedOrBearer => Self::SignedOrBearer,
        }
    }
}

/// One operation of the API.
pub trait Operation: Send + Sync + 'static {
    /// What policy is asked.
    const PERMISSION: Permission;
    /// Accepted credential types.
    const ACCEPTS: Accepts = Accepts::SignedOrBearer;
    /// Whether what the request names has an entity tag. Its handler then holds `if-match` and
    /// `if-none-match` against it: by `found`, or by `expected_version` for a write.
    const HAS_ETAG: bool = false;
    /// How it may refuse beyond what its input and its credentials bring with them.
    const REFUSES: &'static [ErrorType] = &[];

    /// Path, query and body, parsed.
    type Input: Input;
    /// What policy is asked about.
    type Object: Object;

    /// Which object the input means.
    fn object(input: &Self::Input) -> <Self::Object as Object>::Reference;
}

/// Something that is loaded within the caller's tenant and then asked about.
pub trait Object: Send + Sync + Sized {
    /// How a request names it.
    type Reference: Send + Sync;

    /// Loads it.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` for what is missing, malformed or another tenant's.
    fn load(
        tenant: TenantReader<'_>,
        reference: Self::Reference,
    ) -> impl Future<Output = Result<Self, ApiError>> + Send;

    /// It, in policy's words.
    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a>;
}
