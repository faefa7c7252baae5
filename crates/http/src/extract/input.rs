//! The input of an operation, and the parts of a request it is read from.

use salvo::http::{HeaderMap, Method};
use salvo::hyper::body::Bytes;
use salvo::oapi::{Components, Operation as OpenApiOperation};
use salvo::routing::PathParams;

use crate::extract::query::Query;
use crate::respond::ApiError;

pub struct RequestInput<'a> {
    /// Determines the accepted media types.
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    /// The parameters of the matched path.
    pub path: &'a PathParams,
    /// Parameters that no input reads are unknown.
    pub query: Query,
    pub body: Bytes,
}

impl RequestInput<'_> {
    /// A path parameter; empty if the route does not have it.
    #[must_use]
    pub fn path_parameter(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }
}

/// Input that is parsed from a request and described in the OpenAPI document.
pub trait Input: Send + Sync + Sized {
    /// Parses the input and checks everything that needs no store.
    /// The client's mistake, named.
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError>;

    /// Adds the parameters and the body to the operation.
    fn describe(components: &mut Components, operation: &mut OpenApiOperation);
}

impl Input for () {
    fn read(_: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok(())
    }

    fn describe(_: &mut Components, _: &mut OpenApiOperation) {}
}

/// Two inputs, read in order.
impl<A: Input, B: Input> Input for (A, B) {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok((A::read(request)?, B::read(request)?))
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        A::describe(components, operation);
        B::describe(components, operation);
    }
}
