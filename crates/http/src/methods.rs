//! Routing by method: GET routes also answer HEAD, and a fixed path segment is not taken for a parameter.

use salvo::http::Method;
use salvo::routing::filters;
use salvo::routing::{Filter, FilterInfo, PathState};
use salvo::{Handler, Request, Router, async_trait};

/// Routes that only read.
pub(super) trait Reads {
    /// Handles GET, and HEAD without a body (RFC 9110 section 9.3.2).
    #[must_use]
    fn reads<H: Handler>(self, goal: H) -> Self;
}

impl Reads for Router {
    fn reads<H: Handler>(self, goal: H) -> Self {
        let filter = GetOrHead(filters::get().or(filters::head()));
        self.push(Self::with_filter(filter).goal(goal))
    }
}

/// The OpenAPI document describes only GET.
#[derive(Debug)]
struct GetOrHead<F>(F);

#[async_trait]
impl<F: Filter> Filter for GetOrHead<F> {
    fn info(&self) -> FilterInfo {
        FilterInfo::Method(Method::GET)
    }

    fn collect_methods(&self, methods: &mut Vec<Method>) {
        self.0.collect_methods(methods);
    }

    async fn filter_for_method(
        &self,
        request: &mut Request,
        state: &mut PathState<'_>,
        method: &Method,
    ) -> Option<bool> {
        self.0.filter_for_method(request, state, method).await
    }

    async fn filter(&self, request: &mut Request, state: &mut PathState<'_>) -> bool {
        self.0.filter(request, state).await
    }
}

/// Matches paths whose last segment is none of these names. It checks the path alone, so that 405 and 404 remain
/// distinct.
#[derive(Debug)]
pub(super) struct NotNamed(pub(super) &'static [&'static str]);

impl NotNamed {
    fn passes(&self, request: &Request) -> bool {
        let name = request.uri().path().rsplit('/').next();
        name.is_none_or(|name| !self.0.contains(&name))
    }
}

#[async_trait]
impl Filter for NotNamed {
    async fn filter_for_method(
        &self,
        request: &mut Request,
        _: &mut PathState<'_>,
        _: &Method,
    ) -> Option<bool> {
        Some(self.passes(request))
    }

    async fn filter(&self, request: &mut Request, _: &mut PathState<'_>) -> bool {
        self.passes(request)
    }
}
