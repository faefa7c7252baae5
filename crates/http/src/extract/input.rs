//! What an operation reads from a request: inputs, and what they are read from.

use salvo::http::{HeaderMap, Method};
use salvo::hyper::body::Bytes;
use salvo::oapi::{Components, Operation as OpenApiOperation};
use salvo::routing::PathParams;

use crate::extract::query::Query;
use crate::respond::ApiError;

/// What inputs are read from.
pub struct RequestInput<'a> {
    /// The method, which decides the media types.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The parameters of the matched path.
    pub path: &'a PathParams,
    /// The query; what no input takes is unknown.
    pub query: Query,
    /// The whole body.
    pub body: Bytes,
}

impl RequestInput<'_> {
    /// A parameter of the path; empty if the route has none of that name.
    #[must_use]
    pub fn path_parameter(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }
}

/// Input that can be read from a request and described in the OpenAPI document.
pub trait Input: Send + Sync + Sized {
    /// Reads and checks everything that can be checked without the store.
    ///
    /// # Errors
    ///
    /// The client's mistake, named.
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError>;

    /// Adds its parameters and its body to the operation.
    fn describe(components: &mut Components, operation: &mut OpenApiOperation);
}

/// No input.
impl Input for () {
    fn read(_: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok(())
    }

    fn describe(_: &mut Components, _: &mut OpenApiOperation) {}
}

/// One input after the other.
impl<A: Input, B: Input> Input for (A, B) {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok((A::read(request)?, B::read(request)?))
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        A::describe(components, operation);
        B::describe(components, operation);
    }
}
