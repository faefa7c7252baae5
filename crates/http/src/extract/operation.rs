//! The declaration of an API operation: its permission, input, and the object to authorize. `authorized.rs` does
//! the authorization, so handlers cannot forget it.

use std::future::Future;

use charter_authz::resource::Resource;
use charter_domain::caller::Caller;
use charter_domain::permission::Permission;
use charter_store::TenantReader;

use crate::extract::input::Input;
use crate::respond::{ApiError, Challenge, ErrorType};

/// Accepted credential types (contract sections 4 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    Signed,
    Bearer,
    /// Policy decides which callers are allowed.
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

pub trait Operation: Send + Sync + 'static {
    /// The permission to evaluate.
    const PERMISSION: Permission;
    const ACCEPTS: Accepts = Accepts::SignedOrBearer;
    /// Whether the object has an entity tag. The handler then checks `if-match` and `if-none-match`: with `found`,
    /// or with `expected_version` for a write.
    const HAS_ETAG: bool = false;
    /// Error types in addition to those of its input and credentials.
    const REFUSES: &'static [ErrorType] = &[];

    /// Path, query and body, parsed.
    type Input: Input;
    /// The object to authorize.
    type Object: Object;

    /// The reference to the object in the input.
    fn object(input: &Self::Input) -> <Self::Object as Object>::Reference;

    /// Whether the request takes something away from the object, and does nothing else. Used-up budgets do not refuse
    /// such requests, so that an organization can always be rid of whoever uses them up. Another order of
    /// what is there takes nothing away.
    fn only_removes(_: &Self::Input, _: &Self::Object) -> bool {
        false
    }
}

/// An object that is loaded within the caller's tenant and then authorized.
pub trait Object: Send + Sync + Sized {
    /// How a request names it.
    type Reference: Send + Sync;

    /// It as authentication read it, which suffices for a request without conditions, if authentication reads it.
    fn of_caller(_: &Caller) -> Option<Self> {
        None
    }

    /// Loads it.
    ///
    /// `NOT_FOUND` for what is missing, malformed or another tenant's.
    fn load(
        tenant: TenantReader<'_>,
        reference: Self::Reference,
    ) -> impl Future<Output = Result<Self, ApiError>> + Send;

    /// The resource for the policies.
    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a>;
}
