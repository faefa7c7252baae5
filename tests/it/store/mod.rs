//! The store's promises, each on both engines.

mod organizations;
mod world;
