//! Pages of a list (contract section 4, lists).

/// The most items on one page.
pub const MAX_QUANTITY: u64 = 100;

/// Which part of a list is wanted, in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<Order> {
    /// From 1.
    pub page: u64,
    /// Items on a page, 1 to [`MAX_QUANTITY`].
    pub quantity: u64,
    /// The column to sort by; ties by id.
    pub order: Order,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl<Order> PageRequest<Order> {
    /// How many items come before this page.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.page.saturating_sub(1).saturating_mul(self.quantity)
    }
}

/// Orders of accounts and service accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceOrder {
    /// `created_at`
    CreatedAt,
    /// `updated_at`
    UpdatedAt,
    /// `name`, by code point
    Name,
}

/// Orders of access keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrder {
    /// `created_at`
    CreatedAt,
    /// `expires_at`; keys without one count as the latest
    ExpiresAt,
    /// `last_used_at`; keys never used count as the earliest
    LastUsedAt,
}

/// One page and the size of the whole list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Items in the whole list.
    pub total: u64,
    /// This page's items; empty past the end.
    pub results: Vec<T>,
}
