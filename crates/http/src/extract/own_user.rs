//! The argument of handlers that concern only the user who calls, and the authorization of what such users change
//! about themselves (contract section 5).

use std::sync::Arc;

use salvo::oapi::{Components, Operation as OpenApiOperation};
use salvo::{Depot, Request};

use charter_authz::resource::Resource;
use charter_domain::caller::{Caller, UserCaller};
use charter_domain::permission::Permission;
use charter_store::TenantReader;

use crate::edge::context::RequestContext;
use crate::extract::anonymous::{Anonymous, authenticate_user};
use crate::extract::argument::handler_argument;
use crate::extract::authorizer::{Authorizer, wait_for_room};
use crate::extract::input::Input;
use crate::extract::security;
use crate::respond::{ApiError, ErrorType, error_document};
use crate::state::SharedState;

/// A user's request about itself.
pub struct OwnUser<I> {
    pub caller: Arc<UserCaller>,
    pub authorizer: Authorizer,
    pub request: Anonymous<I>,
}

impl<I> OwnUser<I> {
    /// Reads within the user's tenant.
    pub fn tenant(&self) -> TenantReader<'_> {
        self.request.state.tenants.reader(&*self.caller)
    }
}

/// Asks policy whether the user may do this to itself. Nobody needs a grant for it, but guardrails may forbid it. The
/// write's audit event then names the policies that allowed it.
///
/// Used-up budgets refuse nothing that policy allows: ending sessions and changing a password help against whoever
/// uses them up.
pub async fn authorize<I>(
    authorizer: &Authorizer,
    permission: Permission,
    request: &mut Anonymous<I>,
) -> Result<(), ApiError> {
    let caller = authorizer.caller();
    let Caller::User(own) = caller else {
        return Err(ApiError::internal("only users change themselves"));
    };
    let resource = Resource::User {
        user: own.user(),
        organization: own.organization(),
    };
    let decisions = &request.state.decisions;
    wait_for_room(|| decisions.has_room()).await?;
    if let Err(exhausted) = decisions.check_share(caller.into())
        && !authorizer.would_allow(permission, resource)
    {
        return Err(exhausted.into());
    }
    authorizer.require(permission, resource)?;
    request.client.policy_digest = Some(authorizer.snapshot().digest().to_string());
    Ok(())
}

impl<I: Input> OwnUser<I> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let state = SharedState::of(depot)?;
        let context = RequestContext::behind_edge(depot)?;
        let (caller, authorizer, body) = authenticate_user(request, &state, context).await?;
        Ok(Self {
            caller,
            authorizer,
            request: Anonymous::read(request, state, context, body)?,
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
