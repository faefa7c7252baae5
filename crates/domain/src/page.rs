//! Pages of a list (contract section 4, lists).

pub const MAX_QUANTITY: u64 = 100;

/// Which page of a list, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<Order> {
    /// Starts at 1.
    pub page: u64,
    /// 1 to [`MAX_QUANTITY`].
    pub quantity: u64,
    /// The column to sort by; equal values are sorted by id.
    pub order: Order,
    pub descending: bool,
}

impl<Order> PageRequest<Order> {
    /// Number of items before this page.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.page.saturating_sub(1).saturating_mul(self.quantity)
    }
}

/// Sort columns of accounts and service accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceOrder {
    /// `created_at`
    CreatedAt,
    /// `updated_at`
    UpdatedAt,
    /// `name`, by code point
    Name,
}

/// Sort columns of access keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrder {
    /// `created_at`
    CreatedAt,
    /// `expires_at`; keys without one sort last
    ExpiresAt,
    /// `last_used_at`; unused keys sort first
    LastUsedAt,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Items of the whole list.
    pub total: u64,
    /// Empty past the end.
    pub results: Vec<T>,
}
