//! `/api/auth/register` and `accept-invitation` (contract section 5).

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::extract::anonymous::Anonymous;
use crate::extract::fields::Fields;
use crate::extract::json_body::{Body, BodyInput};
use crate::respond::{ApiError, Code, ErrorType};
use charter_authn::users::{NewOwner, UserError};
use charter_store::{self as store, NewOrganization};

use super::answer::{Shown, Token};
use super::parse;

/// Makes an organization and its first owner, who is sent a link that verifies the address.
#[endpoint(operation_id = "register", tags("sign-in"))]
pub async fn register(request: Anonymous<Body<Register>>) -> Result<Shown<Registered>, ApiError> {
    request
        .run(
            |state,
             Body(Register {
                 organization,
                 owner,
             }),
             client| async move {
                let registered = state.portal_users.register(organization, owner, &client);
                let (organization, user) = registered.await.map_err(refusal_of_registration)?;
                Ok(Shown(Registered {
                    organization_id: organization.uuid().to_string(),
                    user_id: user.uuid().to_string(),
                }))
            },
        )
        .await
}

/// A taken slug is no conflict here but a wrong value (contract section 2).
fn refusal_of_registration(refusal: UserError) -> ApiError {
    match refusal {
        UserError::Store(store::Error::SlugTaken) => {
            ApiError::invalid(Code::SlugTaken, "the slug is taken, choose another")
        }
        other => other.into(),
    }
}

/// Makes the invited person a member and signs it in.
#[endpoint(operation_id = "acceptInvitation", tags("sign-in"))]
pub async fn accept_invitation(request: Anonymous<Body<Acceptance>>) -> Result<Token, ApiError> {
    request
        .run(
            |state, Body(Acceptance { token, password }), client| async move {
                let token = token.expose_secret();
                let accepted = state
                    .portal_users
                    .accept_invitation(token, password, &client);
                Ok(Token::new(accepted.await?, &state))
            },
        )
        .await
}

/// What a registration says.
#[derive(Debug)]
pub struct Register {
    organization: NewOrganization,
    owner: NewOwner,
}

impl BodyInput for Register {
    type Schema = RegisterBody;
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
    const ON_PORTAL: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("orgName", parse::name);
        let slug = fields.required("orgSlug", parse::slug);
        let email = fields.required("ownerEmail", parse::email);
        let password = fields.required("ownerPassword", parse::new_password);
        // Clients of the published API send it; nothing looks at it.
        fields.nullable("captchaToken", parse::any_text);
        Some(Self {
            organization: NewOrganization {
                name: name?,
                slug: slug?,
            },
            owner: NewOwner {
                email: email?,
                password: password?,
            },
        })
    }
}

/// Who registers.
#[derive(ToSchema)]
#[salvo(schema(name = "Register", rename_all = "camelCase"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct RegisterBody {
    /// 1 to 200 characters, at most 800 bytes.
    #[salvo(schema(min_length = 1, max_length = 200, example = "Acme Corporation"))]
    org_name: String,
    #[salvo(schema(
        min_length = 3,
        max_length = 63,
        pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
        example = "acme"
    ))]
    org_slug: String,
    #[salvo(schema(format = "email", example = "ada@example.com"))]
    owner_email: String,
    #[salvo(schema(
        min_length = 8,
        max_length = 256,
        example = "correct horse battery staple"
    ))]
    owner_password: String,
    /// Unused.
    captcha_token: Option<String>,
}

/// What was made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "Registered", rename_all = "camelCase"))]
pub struct Registered {
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1c-7def-8a12-3456789abcde"))]
    organization_id: String,
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1d-7def-8a12-3456789abcde"))]
    user_id: String,
}

/// The token of an invitation and a first password.
#[derive(Debug)]
pub struct Acceptance {
    token: SecretString,
    password: SecretString,
}

impl BodyInput for Acceptance {
    type Schema = AcceptanceBody;
    const ON_PORTAL: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let token = fields.required("token", parse::token);
        let password = fields.required("password", parse::new_password);
        Some(Self {
            token: token?,
            password: password?,
        })
    }
}

/// The token of an invitation and a first password.
#[derive(ToSchema)]
#[salvo(schema(name = "AcceptInvitation"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct AcceptanceBody {
    #[salvo(schema(example = "mS1wX0gq0bqVt9m3wqf9YwQm1l1nq2c4o5p6r7s8t9A"))]
    token: String,
    #[salvo(schema(
        min_length = 8,
        max_length = 256,
        example = "correct horse battery staple"
    ))]
    password: String,
}
