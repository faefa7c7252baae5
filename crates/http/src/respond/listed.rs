//! A page of a list as JSON (contract section 4, lists).

use std::marker::PhantomData;

use salvo::Response;
use salvo::http::ResBody;
use salvo::http::header::{CONTENT_TYPE, HeaderValue};
use salvo::oapi::{
    Array, BasicType, Components, EndpointOutRegister, Object, Operation, RefOr, Schema, ToSchema,
};
use salvo::writing::Scribe;
use serde::Serialize;

use charter_domain::page::{Page, PageRequest};

use crate::respond::{ApiError, headers};

pub struct Listed<T> {
    json: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

/// Serializes each item and yields in between, because a page may have a megabyte.
pub(super) async fn write_items<Item: Send, T: Serialize>(
    json: &mut Vec<u8>,
    items: Vec<Item>,
    show: impl Fn(Item) -> T + Send + Sync,
) -> Result<(), ApiError> {
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            json.push(b',');
        }
        serde_json::to_writer(&mut *json, &show(item)).map_err(ApiError::internal)?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

pub(super) fn send(json: Vec<u8>, response: &mut Response) {
    let content_type = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.body(ResBody::Once(json.into()));
}

impl<T: Serialize> Listed<T> {
    /// Serializes each item of a page and yields in between, because a page may have a megabyte.
    pub async fn new<Order: Sync, Item: Send>(
        request: &PageRequest<Order>,
        page: Page<Item>,
        show: impl Fn(Item) -> T + Send + Sync,
    ) -> Result<Self, ApiError> {
        let mut json = format!(
            r#"{{"total":{},"page":{},"results":["#,
            page.total, request.page
        )
        .into_bytes();
        write_items(&mut json, page.results, show).await?;
        json.extend_from_slice(b"]}");
        let of = PhantomData;
        Ok(Self { json, of })
    }
}

impl<T> Scribe for Listed<T> {
    fn render(self, response: &mut Response) {
        send(self.json, response);
    }
}

impl<T: ToSchema> EndpointOutRegister for Listed<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let integer = || Object::with_type(BasicType::Integer).minimum(0);
        let results = Array::new().items(T::to_schema(components)).max_items(100);
        let schema = Object::new()
            .property(
                "total",
                integer()
                    .description("Items in the whole list.")
                    .examples([1]),
            )
            .required("total")
            .property(
                "page",
                integer()
                    .minimum(1)
                    .description("This page, from 1.")
                    .examples([1]),
            )
            .required("page")
            .property("results", results)
            .required("results");
        let listed = headers::answer("OK").add_content(
            "application/json",
            RefOr::Type(Schema::Object(Box::new(schema))),
        );
        operation.responses.insert("200", listed);
    }
}
