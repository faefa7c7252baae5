//! How many permits there are.

use std::convert::Infallible;

/// How many permits there are at this moment. A plain number is a fixed capacity.
pub trait Capacity: Send {
    /// Why there will be none for now, however long one waits.
    type Refusal: Send;

    /// The number of permits, those in use included.
    ///
    /// # Errors
    ///
    /// Whoever waits is sent away with the refusal.
    fn permits(&mut self) -> Result<usize, Self::Refusal>;
}

impl Capacity for usize {
    type Refusal = Infallible;

    fn permits(&mut self) -> Result<usize, Infallible> {
        Ok(*self)
    }
}
