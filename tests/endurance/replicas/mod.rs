//! Two replicas on a PostgreSQL and a Redis of their own: whatever dies, stands still, is cut off or slow, no
//! acknowledged write is lost, no nonce is accepted twice, no revocation takes longer than a second, and it recovers by
//! itself.

mod clients;
mod crowd;
mod faults;
mod world;
