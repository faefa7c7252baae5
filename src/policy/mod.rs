//! The security team's tools over the same policies that the service decides by: what they ask
//! here of a folder is answered about exactly what would be served.

pub mod replay;
