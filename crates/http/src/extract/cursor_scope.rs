//! What a cursor is good for: one list or search, with its filters. Every cursor that a client sees is made here.

use serde::Serialize;

use charter_authn::secrets::{CursorPosition, CursorSealer};

use crate::respond::ApiError;

/// A list or a search with all that must stay the same from page to page.
pub struct CursorScope<'a> {
    sealer: &'a CursorSealer,
    bound_to: Vec<u8>,
}

impl<'a> CursorScope<'a> {
    /// `bound_to` begins with the name of the list.
    ///
    /// # Errors
    ///
    /// `INTERNAL_ERROR` if it is no JSON.
    pub fn new(sealer: &'a CursorSealer, bound_to: &impl Serialize) -> Result<Self, ApiError> {
        let mut bound_to = serde_json::to_value(bound_to).map_err(ApiError::internal)?;
        // The members of an object have no order (RFC 8259 section 1).
        bound_to.sort_all_objects();
        let bound_to = serde_json::to_vec(&bound_to).map_err(ApiError::internal)?;
        Ok(Self { sealer, bound_to })
    }

    /// The position of a cursor; `None` if it was not made for this.
    #[must_use]
    pub fn open<P: CursorPosition>(&self, cursor: &str) -> Option<P> {
        self.sealer.open(cursor, &self.bound_to)
    }

    /// The cursor for that position.
    ///
    /// # Errors
    ///
    /// `INTERNAL_ERROR` if it cannot be sealed.
    pub fn seal(&self, position: &impl CursorPosition) -> Result<String, ApiError> {
        let sealed = self.sealer.seal(position, &self.bound_to);
        sealed.map_err(ApiError::internal)
    }
}
