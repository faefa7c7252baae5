//! The argument of handlers that concern nobody but the person who asks, so that no policy decides
//! them: it is authenticated, and in a state in which people may change things (contract section 5).

use std::sync::Arc;

use salvo::extract::{Extractible, Metadata};
use salvo::http::Method;
use salvo::oapi::{Components, EndpointArgRegister, Operation as OpenApiOperation};
use salvo::{Depot, Request};

use charter_domain::caller::UserCaller;
use charter_store::TenantReader;

use crate::edge::context::RequestContext;
use crate::extract::anonymous::{Anonymous, authenticate_person};
use crate::extract::input::Input;
use crate::extract::security;
use crate::respond::{ApiError, Code, ErrorType, error_document, etag};
use crate::state::State;

/// A request of a person about itself.
pub struct OwnPerson<I> {
    /// The person.
    pub person: Arc<UserCaller>,
    /// The rest.
    pub request: Anonymous<I>,
}

impl<I> OwnPerson<I> {
    /// Queries within the person's tenant.
    pub fn tenant(&self) -> TenantReader<'_> {
        self.request.state.tenants.reader(&*self.person)
    }
}

/// Refuses what changes something while the person's organization is deactivated.
///
/// # Errors
///
/// `ORGANIZATION_DEACTIVATED`.
pub fn require_active(person: &UserCaller) -> Result<(), ApiError> {
    if person.organization().is_active {
        Ok(())
    } else {
        Err(ApiError::organization_deactivated())
    }
}

fn require_verified(person: &UserCaller) -> Result<(), ApiError> {
    if person.user().email_verified {
        Ok(())
    } else {
        Err(ApiError::forbidden(
            Code::EmailNotVerified,
            "verify your e-mail address first: follow the link in the mail that was sent to it",
        ))
    }
}

impl<'ex, I: Input> Extractible<'ex> for OwnPerson<I> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[expect(refining_impl_trait, reason = "the error is this service's own")]
    async fn extract(request: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, ApiError> {
        let state = State::of(depot)?;
        let context = RequestContext::of(depot)
            .cloned()
            .ok_or_else(|| ApiError::internal("the router was built without its edge"))?;
        let (person, body) = authenticate_person(request, &state, &context).await?;
        let changes_something = !matches!(*request.method(), Method::GET | Method::HEAD);
        let own = Anonymous::read(request, state, &context, body)?;
        if changes_something {
            require_active(&person)?;
            require_verified(&person)?;
        }
        etag::check_untagged(request.method(), request.headers())?;
        Ok(Self {
            person,
            request: own,
        })
    }
}

impl<I: Input> EndpointArgRegister for OwnPerson<I> {
    fn register(components: &mut Components, operation: &mut OpenApiOperation, _: &str) {
        I::describe(components, operation);
        security::require_bearer(operation);
        for refusal in [ErrorType::Unauthorized, ErrorType::RateLimitExceeded] {
            error_document::describe(components, operation, refusal);
        }
    }
}
