//! A page of a list with a cursor as JSON (contract section 4).

use std::marker::PhantomData;

use salvo::Response;

use salvo::oapi::{
    Array, BasicType, Components, EndpointOutRegister, Object, Operation, RefOr, Schema,
    SchemaType, ToSchema,
};
use salvo::writing::Scribe;
use serde::Serialize;

use crate::respond::listed::{send, write_items};
use crate::respond::{ApiError, headers};

pub struct Paged<T> {
    json: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> Paged<T> {
    /// Serializes each item of a page and yields in between.
    pub async fn new<Item: Send>(
        items: Vec<Item>,
        next_cursor: Option<String>,
        show: impl Fn(Item) -> T + Send + Sync,
    ) -> Result<Self, ApiError> {
        let mut json = br#"{"results":["#.to_vec();
        write_items(&mut json, items, show).await?;
        json.extend_from_slice(br#"],"next_cursor":"#);
        serde_json::to_writer(&mut json, &next_cursor).map_err(ApiError::internal)?;
        json.push(b'}');
        let of = PhantomData;
        Ok(Self { json, of })
    }
}

impl<T> Scribe for Paged<T> {
    fn render(self, response: &mut Response) {
        send(self.json, response);
    }
}

impl<T: ToSchema> EndpointOutRegister for Paged<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let results = Array::new().items(T::to_schema(components)).max_items(200);
        let cursor = Object::with_type(SchemaType::Array(vec![BasicType::String, BasicType::Null]))
            .description(
                "`cursor` of the next page; null at the end. A page reads a limited part of the list, so it may have \
                 fewer items than requested, or none, without being the last.",
            )
            .examples(["lk3sZgS0kqJYQmY6hGJ2b6l0b1o0ZC2mJ8m3zq7QwX9cVbTn0aR4uE5yHsI"]);
        let schema = Object::new()
            .property("results", results)
            .required("results")
            .property("next_cursor", cursor)
            .required("next_cursor");
        let page = headers::answer("OK").add_content(
            "application/json",
            RefOr::Type(Schema::Object(Box::new(schema))),
        );
        operation.responses.insert("200", page);
    }
}
