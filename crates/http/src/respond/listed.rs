//! A page of a list as it is shown (contract section 4, lists).

use salvo::oapi::{
    Array, BasicType, Components, EndpointOutRegister, Object, Operation, RefOr, Schema, ToSchema,
};
use salvo::prelude::{Json, Response};
use salvo::writing::Scribe;
use serde::Serialize;

use charter_domain::page::{Page, PageRequest};

use crate::respond::headers;

/// A page as it is shown.
#[derive(Serialize)]
pub struct Listed<T> {
    total: u64,
    page: u64,
    results: Vec<T>,
}

impl<T> Listed<T> {
    /// Shows each item of a page.
    pub fn new<Order, Item>(
        request: &PageRequest<Order>,
        page: Page<Item>,
        show: impl FnMut(Item) -> T,
    ) -> Self {
        Self {
            total: page.total,
            page: request.page,
            results: page.results.into_iter().map(show).collect(),
        }
    }
}

impl<T: Serialize + Send> Scribe for Listed<T> {
    fn render(self, response: &mut Response) {
        response.render(Json(self));
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
