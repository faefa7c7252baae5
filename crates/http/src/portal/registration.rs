//! `/api/auth/register` and `accept-invitation` (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use crate::extract::anonymous::Anonymous;
use crate::extract::json_body::{Body, request_body};
use crate::extract::values::{LinkToken, PortalName};
use crate::respond::answer::Shown;
use crate::respond::{ApiError, Code, ErrorType};
use charter_authn::users::{NewOwner, UserError};
use charter_domain::email::EmailAddress;
use charter_domain::password::NewPassword;
use charter_domain::slug::Slug;
use charter_store::{self as store, NewOrganization};

use super::answer::Token;

/// Creates an organization and its first owner, and sends the owner a link to verify the address.
#[endpoint(operation_id = "register", tags("sign-in"))]
#[boxed]
pub async fn register(request: Anonymous<Body<Register>>) -> Result<Shown<Registered>, ApiError> {
    request
        .run(|state, Body(body), client| async move {
            let organization = NewOrganization {
                name: body.name.0,
                slug: body.slug,
            };
            let owner = NewOwner {
                email: body.email,
                password: body.password.into_secret(),
            };
            let registered = state.portal_users.register(organization, owner, &client);
            let (organization, user) = registered.await.map_err(refusal_of_registration)?;
            Ok(Shown(Registered {
                organization_id: organization.uuid().to_string(),
                user_id: user.uuid().to_string(),
            }))
        })
        .await
}

/// A taken slug is not a conflict here but an invalid value (contract section 2).
fn refusal_of_registration(refusal: UserError) -> ApiError {
    match refusal {
        UserError::Store(store::Error::SlugTaken) => ApiError::invalid(
            Code::SlugTaken,
            "the slug is taken, or reserved for 30 days since another organization gave it up; choose another",
        ),
        other => other.into(),
    }
}

/// Makes the invited user a member and signs it in.
#[endpoint(operation_id = "acceptInvitation", tags("sign-in"))]
#[boxed]
pub async fn accept_invitation(request: Anonymous<Body<Acceptance>>) -> Result<Token, ApiError> {
    request
        .run(
            |state, Body(Acceptance { token, password }), client| async move {
                let password = password.into_secret();
                let accepted =
                    state
                        .portal_users
                        .accept_invitation(token.expose(), password, &client);
                Ok(Token::new(accepted.await?, &state))
            },
        )
        .await
}

request_body! {
    /// A new organization with its owner.
    pub struct Register as "Register" {
        required name as "orgName": PortalName = "Acme Corporation",
        required slug as "orgSlug": Slug,
        required email as "ownerEmail": EmailAddress,
        required password as "ownerPassword": NewPassword,
        /// Unused.
        optional _captcha_token as "captchaToken": Option<String>,
    }
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
}

/// The created organization and user.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "Registered", rename_all = "camelCase"))]
pub(crate) struct Registered {
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1c-7def-8a12-3456789abcde"))]
    organization_id: String,
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1d-7def-8a12-3456789abcde"))]
    user_id: String,
}

request_body! {
    /// The token of an invitation and the new user's password.
    pub struct Acceptance as "AcceptInvitation" {
        required token: LinkToken,
        required password: NewPassword,
    }
}
