//! Successful responses: status, validators and body.

use salvo::http::StatusCode;
use salvo::http::header::{HeaderValue, LOCATION};
use salvo::oapi::{Components, EndpointOutRegister, Operation, ToSchema};
use salvo::prelude::{Json, Response};
use salvo::writing::Scribe;
use serde::Serialize;

use crate::respond::etag::EntityTag;
use crate::respond::headers;
use crate::respond::headers::describe_condition;

/// 200 with an `etag`, or 304 if the client has that version.
pub enum FoundOrNotModified<T> {
    Whole(EntityTag, T),
    NotModified(EntityTag),
}

impl<T: Serialize + Send> Scribe for FoundOrNotModified<T> {
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

impl<T: ToSchema> EndpointOutRegister for FoundOrNotModified<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema = T::to_schema(components);
        let found = headers::answer("OK").add_content("application/json", schema);
        operation.responses.insert("200", headers::with_etag(found));
        let unchanged = headers::answer("the client has this version already");
        operation
            .responses
            .insert("304", headers::with_etag(unchanged));
        describe_condition(
            operation,
            "if-none-match",
            "Returns 304 if the resource still has this `etag`, or one of these; `*` for any.",
        );
    }
}

/// 200 without an entity tag.
pub struct Shown<T>(pub T);

impl<T: Serialize + Send> Scribe for Shown<T> {
    fn render(self, response: &mut Response) {
        response.render(Json(self.0));
    }
}

impl<T: ToSchema> EndpointOutRegister for Shown<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema = T::to_schema(components);
        let shown = headers::answer("OK").add_content("application/json", schema);
        operation.responses.insert("200", shown);
    }
}

/// 200 with the changed resource and its new `etag`.
pub struct Changed<T>(pub EntityTag, pub T);

impl<T: Serialize + Send> Scribe for Changed<T> {
    fn render(self, response: &mut Response) {
        let Self(etag, body) = self;
        etag.write(response);
        response.render(Json(body));
    }
}

impl<T: ToSchema> EndpointOutRegister for Changed<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema = T::to_schema(components);
        let changed = headers::answer("OK").add_content("application/json", schema);
        operation
            .responses
            .insert("200", headers::with_etag(changed));
    }
}

/// 201 with a `location`.
pub struct Created<T> {
    pub location: String,
    /// `None` without versions.
    pub etag: Option<EntityTag>,
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
        let created = headers::answer("Created").add_content("application/json", schema);
        operation
            .responses
            .insert("201", headers::with_location(created));
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
            .insert("204", headers::answer("No Content"));
    }
}
