//! Finds what a request is.

use super::load::CustomDomain;
use super::routes::Routed;

impl CustomDomain {
    /// The action and the resource of a request; `None` if no route matches, or a part of the path is not UTF-8.
    /// `path` is as sent, in its one canonical spelling, without a query. A HEAD is the GET that it asks about.
    #[must_use]
    pub fn route(&self, method: &str, path: &str) -> Option<Routed> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.routes.find(method, path)
    }
}
