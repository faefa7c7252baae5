//! Requests that service accounts sign: their verification, and the keys they are signed with.

mod known;
pub mod last_used;
mod leaked;
pub mod mint;
pub mod verify;
