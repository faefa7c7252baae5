//! How many permits a queue has.

use std::convert::Infallible;

/// The current number of permits. A plain number is a fixed capacity.
pub trait Capacity: Send {
    /// Why no permit will be available soon.
    type Refusal: Send;

    /// The number of permits, including those in use.
    ///
    /// # Errors
    ///
    /// All waiters get the refusal.
    fn permits(&mut self) -> Result<usize, Self::Refusal>;
}

impl Capacity for usize {
    type Refusal = Infallible;

    fn permits(&mut self) -> Result<usize, Infallible> {
        Ok(*self)
    }
}
