//! Calls fail on every file that the service writes, the disk is full, the database falls silent: it
//! goes on or refuses with 503, and what it acknowledged is there after a restart, once.

mod disk_full;
mod history;
mod network;
mod running;
mod starting;
mod targets;
