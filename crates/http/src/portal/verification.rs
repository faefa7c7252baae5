//! `/api/auth/verify-email` and `resend-verification` (contract section 5).

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use secrecy::{ExposeSecret, SecretString};

use crate::extract::anonymous::{PerhapsSignedIn, SignedInPerson};
use crate::extract::fields::Fields;
use crate::extract::json_body::{Body, BodyInput};
use crate::extract::own_person::require_active;
use crate::respond::{ApiError, Code, ErrorType};
use charter_authn::users::Proof;

use super::answer::Done;
use super::parse;
use super::sign_in::Nothing;

/// Verifies an address with the token of the link that was sent to it, and the account's password or
/// the access token of its person: the link alone opens no account that a stranger registered on the
/// address. Every session that was opened before ends.
#[endpoint(operation_id = "verifyEmail", tags("sign-in"))]
pub async fn verify_email(follower: PerhapsSignedIn<Body<Link>>) -> Result<Done, ApiError> {
    let person = follower.person;
    follower
        .request
        .run(|state, Body(Link { token, password }), client| async move {
            let proof = match (password, person) {
                (Some(password), _) => Proof::Password(password),
                (None, Some(person)) => {
                    require_active(&person)?;
                    Proof::Session(person.user().id)
                }
                (None, None) => {
                    return Err(ApiError::invalid(
                        Code::MissingField,
                        "missing fields: `password`; or send the access token of the account",
                    ));
                }
            };
            state
                .portal_users
                .verify_email(token.expose_secret(), proof, &client)
                .await?;
            Ok(Done::plain())
        })
        .await
}

/// Sends the link that verifies the person's address again; nothing once it is verified.
#[endpoint(operation_id = "resendVerification", tags("sign-in"))]
pub async fn resend(request: SignedInPerson<Body<Nothing>>) -> Result<Done, ApiError> {
    let person = request.person;
    require_active(&person)?;
    request
        .request
        .run(|state, _, client| async move {
            state
                .portal_users
                .resend_verification(&person, &client)
                .await?;
            Ok(Done::plain())
        })
        .await
}

/// The token of a link, and what shows whose it is.
#[derive(Debug)]
pub struct Link {
    token: SecretString,
    password: Option<SecretString>,
}

impl BodyInput for Link {
    type Schema = LinkBody;
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
    const ON_PORTAL: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let token = fields.required("token", parse::token);
        let password = fields.optional("password", parse::entered_password);
        Some(Self {
            token: token?,
            password,
        })
    }
}

/// The token of a link.
#[derive(ToSchema)]
#[salvo(schema(name = "Link"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct LinkBody {
    #[salvo(schema(example = "mS1wX0gq0bqVt9m3wqf9YwQm1l1nq2c4o5p6r7s8t9A"))]
    token: String,
    /// The account's. Needed without an access token.
    #[salvo(schema(nullable = false, example = "correct horse battery staple"))]
    password: Option<String>,
}
