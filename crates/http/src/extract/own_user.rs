//! The argument of handlers that concern only the user who calls, without authorization. The user is authenticated
//! and may change things in its current state (contract section 5).

use std::sync::Arc;

use salvo::http::Method;
use salvo::oapi::{Components, Operation as OpenApiOperation};
use salvo::{Depot, Request};

use charter_domain::caller::{Caller, UserCaller};
use charter_store::TenantReader;

use crate::edge::context::RequestContext;
use crate::extract::anonymous::{Anonymous, authenticate_user};
use crate::extract::argument::handler_argument;
use crate::extract::authorizer::Authorizer;
use crate::extract::input::Input;
use crate::extract::security;
use crate::respond::{ApiError, Code, ErrorType, error_document};
use crate::state::State;

/// A user's request about itself.
pub struct OwnUser<I> {
    pub caller: Arc<UserCaller>,
    /// Evaluates which permissions the user has.
    pub authorizer: Authorizer,
    pub request: Anonymous<I>,
}

impl<I> OwnUser<I> {
    /// Reads within the user's tenant.
    pub fn tenant(&self) -> TenantReader<'_> {
        self.request.state.tenants.reader(&*self.caller)
    }
}

/// Refuses writes while the user's organization is deactivated: `ORGANIZATION_DEACTIVATED`.
pub fn require_active(caller: &UserCaller) -> Result<(), ApiError> {
    if caller.organization().is_active {
        Ok(())
    } else {
        Err(ApiError::organization_deactivated())
    }
}

/// The rule of everything that signed-in users change about themselves, as the guardrails have it for all other
/// writes: `ORGANIZATION_DEACTIVATED`, `EMAIL_NOT_VERIFIED`. Exempt is what keeps them from being locked in or out:
/// logout, refresh, and the verification itself.
pub fn require_may_write(caller: &UserCaller) -> Result<(), ApiError> {
    require_active(caller)?;
    require_verified(caller)
}

fn require_verified(caller: &UserCaller) -> Result<(), ApiError> {
    if caller.user().email_verified {
        Ok(())
    } else {
        Err(ApiError::forbidden(
            Code::EmailNotVerified,
            "verify your e-mail address first: follow the link in the mail that was sent to it",
        ))
    }
}

impl<I: Input> OwnUser<I> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let state = State::of(depot)?;
        let context = RequestContext::behind_edge(depot)?;
        let (caller, body) = authenticate_user(request, &state, context).await?;
        let any_caller = Caller::User(Arc::clone(&caller));
        let authorizer = Authorizer::new(&state, &any_caller, context);
        let changes_something = !matches!(*request.method(), Method::GET | Method::HEAD);
        let own = Anonymous::read(request, state, context, body)?;
        if changes_something {
            require_may_write(&caller)?;
        }
        Ok(Self {
            caller,
            authorizer,
            request: own,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        I::describe(components, operation);
        security::require_bearer(operation);
        for refusal in [ErrorType::Unauthorized, ErrorType::RateLimitExceeded] {
            error_document::describe(components, operation, refusal);
        }
    }
}

handler_argument!(OwnUser<I: Input>);
