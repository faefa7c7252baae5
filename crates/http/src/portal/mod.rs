//! The portal surface: operations for users with access tokens, and sign-in (contract section 5).

pub(crate) mod answer;
pub(crate) mod invitations;
pub(crate) mod jwks;
pub(crate) mod me;
pub(crate) mod organization;
pub(crate) mod recovery;
pub(crate) mod registration;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod team;
pub(crate) mod verification;

use salvo::Router;

use crate::methods::{NotNamed, Reads as _};

/// Path segments beside `{userId}` that are no ids.
const BESIDE_MEMBERS: NotNamed = NotNamed(&["invite", "invitations", "roles"]);

/// Operations authorized by policy.
#[must_use]
pub(crate) fn router() -> Router {
    Router::with_path("api/portal")
        .push(
            Router::with_path("organization")
                .reads(organization::get)
                .put(organization::update)
                .push(Router::with_path("settings").put(settings::update))
                .push(Router::with_path("deactivate").post(organization::deactivate)),
        )
        .push(
            Router::with_path("team")
                .reads(team::list)
                .push(Router::with_path("invite").post(team::invite))
                .push(Router::with_path("roles").reads(roles::list))
                .push(
                    Router::with_path("invitations")
                        .reads(invitations::list)
                        .push(Router::with_path("{id}").delete(invitations::withdraw)),
                )
                .push(
                    Router::with_filter(BESIDE_MEMBERS)
                        .path("{userId}")
                        .delete(team::remove)
                        .push(Router::with_path("role").put(team::change_role)),
                ),
        )
}

/// Operations on the calling user itself, without authorization.
#[must_use]
pub(crate) fn own_router() -> Router {
    Router::with_path("api/portal")
        .push(Router::with_path("me").reads(me::get))
        .push(
            Router::with_path("sessions")
                .reads(sessions::list)
                .push(Router::with_path("{id}").delete(sessions::end)),
        )
}

/// Operations before sign-in, without authorization.
#[must_use]
pub(crate) fn sign_in_router() -> Router {
    Router::with_path("api/auth")
        .push(Router::with_path("register").post(registration::register))
        .push(Router::with_path("verify-email").post(verification::verify_email))
        .push(Router::with_path("resend-verification").post(verification::resend))
        .push(Router::with_path("login").post(sign_in::login))
        .push(Router::with_path("refresh").post(sign_in::refresh))
        .push(Router::with_path("logout").post(sign_in::logout))
        .push(Router::with_path("change-password").post(recovery::change_password))
        .push(Router::with_path("forgot-password").post(recovery::forgot_password))
        .push(Router::with_path("reset-password").post(recovery::reset_password))
        .push(Router::with_path("accept-invitation").post(registration::accept_invitation))
}
