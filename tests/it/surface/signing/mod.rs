//! Signed requests against the running service (contract section 3).

mod clients;
mod date;
mod keys;
mod quota;
mod replay;
mod tampering;

const INFO: &str = "/organizations/info";
