//! Successful answers: status, validators and body in one place.

use salvo::http::StatusCode;
use salvo::http::header::{HeaderValue, LOCATION};
use salvo::oapi::{
    Components, EndpointOutRegister, Operation, Response as OpenApiResponse, ToSchema,
};
use salvo::prelude::{Json, Response};
use salvo::writing::Scribe;
use serde::Serialize;

use super::etag::EntityTag;

/// 200 with an `etag`, or 304 when the client already has that version.
pub enum Found<T> {
    /// The whole representation.
    Whole(EntityTag, T),
    /// The client's copy is current.
    NotModified(EntityTag),
}

impl<T: Serialize + Send> Scribe for Found<T> {
    fn render(self, response: &mut Response) {
        match self {
            Self::Whole(etag, body) => {
                etag.write(response);
                response.render(Json(body));
            }
            Self::NotModified(etag) => {
                etag.write_not_modified(response);
            }
        }
    }
}

impl<T: ToSchema> EndpointOutRegister for Found<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema = T::to_schema(components);
        let found = OpenApiResponse::new("OK").add_content("application/json", schema);
        operation.responses.insert("200", found);
    }
}

/// 201 with a `location`.
pub struct Created<T> {
    /// Where it is from now on.
    pub location: String,
    /// Its version, if it has one.
    pub etag: Option<EntityTag>,
    /// What was made.
    pub body: T,
}

impl<T: Serialize + Send> Scribe for Created<T> {
    fn render(self, response: &mut Response) {
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        if let Some(etag) = self.etag {
            etag.write(response);
        }
        response.render(Json(self.body));
        response.status_code(StatusCode::CREATED);
    }
}

impl<T: ToSchema> EndpointOutRegister for Created<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema = T::to_schema(components);
        let created = OpenApiResponse::new("Created").add_content("application/json", schema);
        operation.responses.insert("201", created);
    }
}

/// 204.
pub struct NoContent;

impl Scribe for NoContent {
    fn render(self, response: &mut Response) {
        response.status_code(StatusCode::NO_CONTENT);
    }
}

impl EndpointOutRegister for NoContent {
    fn register(_: &mut Components, operation: &mut Operation) {
        operation
            .responses
            .insert("204", OpenApiResponse::new("No Content"));
    }
}
