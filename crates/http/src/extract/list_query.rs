//! The query parameters of lists with pages (contract section 4, lists).

use salvo::oapi::{BasicType, Components, Object, Operation as OpenApiOperation};

use charter_domain::page::{KeyOrder, MAX_QUANTITY, PageRequest, ResourceOrder};

use crate::extract::input::{Input, RequestInput};
use crate::extract::query::{MAX_PAGE, describe_query};
use crate::respond::ApiError;

/// The sort columns of a list.
pub trait Columns: Copy + Send + Sync + 'static {
    /// Their names in the API.
    const NAMES: &'static [(&'static str, Self)];
    /// The default, descending.
    const DEFAULT: Self;
}

impl Columns for ResourceOrder {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("created_at", Self::CreatedAt),
        ("updated_at", Self::UpdatedAt),
        ("name", Self::Name),
    ];
    const DEFAULT: Self = Self::CreatedAt;
}

impl Columns for KeyOrder {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("created_at", Self::CreatedAt),
        ("expires_at", Self::ExpiresAt),
        ("last_used_at", Self::LastUsedAt),
    ];
    const DEFAULT: Self = Self::CreatedAt;
}

/// The common query parameters of these lists.
#[derive(Debug, Clone)]
pub struct ListQuery<Order> {
    pub page: PageRequest<Order>,
    pub include_inactive: bool,
}

impl<Order: Columns> Input for ListQuery<Order> {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            page: request.query.page(Order::NAMES, Order::DEFAULT)?,
            include_inactive: request.query.boolean("include_inactive")?,
        })
    }

    fn describe(_: &mut Components, operation: &mut OpenApiOperation) {
        let from_one = || Object::with_type(BasicType::Integer).minimum(1);
        describe_query(
            operation,
            "page",
            "From 1; a page past the end is empty.",
            from_one().maximum(MAX_PAGE),
        );
        let quantity = from_one().maximum(100).default_value(20.into());
        describe_query(operation, "quantity", "Items on a page.", quantity);
        let columns = Order::NAMES
            .iter()
            .flat_map(|(name, _)| [(*name).to_owned(), format!("-{name}")]);
        let order = Object::with_type(BasicType::String)
            .enum_values(columns)
            .default_value("-created_at".into());
        describe_query(
            operation,
            "order_by",
            "`-` for descending; equal values are sorted by id.",
            order,
        );
        let flag = Object::with_type(BasicType::Boolean).default_value(false.into());
        describe_query(
            operation,
            "include_inactive",
            "`true` includes inactive items.",
            flag,
        );
    }
}

const _: () = assert!(MAX_QUANTITY == 100, "the document above says 100");
