//! What an operation of the API says of itself: its permission, its input, the resource that
//! policy is asked about. `authorized.rs` does the rest.

use std::future::Future;

use salvo::oapi::{Components, Operation as OpenApiOperation};

use crate::authz::Resource;
use crate::domain::caller::{Caller, Scope};
use crate::domain::permission::Permission;

use super::error::ApiError;
use super::input::RequestInput;
use super::state::State;

/// Which credentials an operation takes (contract sections 4 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// Signed requests only.
    Signed,
    /// A signed request or a portal user's bearer token; policy decides who may.
    SignedOrBearer,
}

/// One operation of the API.
pub trait Operation: Send + Sync + 'static {
    /// What policy is asked.
    const PERMISSION: Permission;
    /// Who may knock.
    const ACCEPTS: Accepts = Accepts::SignedOrBearer;

    /// Path, query and body, parsed.
    type Input: Input;
    /// The records that policy looks at.
    type Resource: Send + Sync;

    /// Loads the resource within the caller's tenant.
    ///
    /// # Errors
    ///
    /// NOT_FOUND for what is missing, malformed or another tenant's.
    fn load(
        state: &State,
        scope: Scope,
        caller: &Caller,
        input: &Self::Input,
    ) -> impl Future<Output = Result<Self::Resource, ApiError>> + Send;

    /// The resource in policy's words.
    fn resource<'a>(caller: &'a Caller, resource: &'a Self::Resource) -> Resource<'a>;
}

/// Input that can be read from a request and described in the OpenAPI document.
pub trait Input: Send + Sync + Sized {
    /// Reads and checks everything that can be checked without the store.
    ///
    /// # Errors
    ///
    /// The client's mistake, named.
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError>;

    /// Adds its parameters and body to the operation.
    fn describe(components: &mut Components, operation: &mut OpenApiOperation);
}

/// Operations without input.
impl Input for () {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        request.no_query()
    }

    fn describe(_: &mut Components, _: &mut OpenApiOperation) {}
}
