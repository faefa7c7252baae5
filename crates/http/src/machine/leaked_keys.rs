//! `/leaked-keys`: revokes a key for a client that presents its secret (contract section 4).

use std::time::Duration;

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::endpoint;
use tokio::time::Instant;

use charter_authn::exact_time::sleep_until;

use crate::extract::anonymous::AnyOrigin;
use crate::extract::json_body::{Body, request_body};
use crate::extract::values::ShownKey;
use crate::respond::answer::NoContent;
use crate::respond::{ApiError, ErrorType};

/// All reports are answered after this time. Revoking takes less unless the database is held up, so the response time
/// does not reveal whether a key was revoked.
const ANSWER_TIME: Duration = Duration::from_millis(250);

/// Revokes a leaked key: for secret scanners and everyone who finds one. If the secret is correct, the key is
/// revoked at once, with an audit event of its organization. The response and its time are the same if it is
/// not.
#[endpoint(operation_id = "reportLeakedKey", tags("keys"))]
#[boxed]
pub async fn report(request: AnyOrigin<Body<LeakedKey>>) -> Result<NoContent, ApiError> {
    let answer_at = Instant::now() + ANSWER_TIME;
    let AnyOrigin(request) = request;
    let (state, client) = (request.state, request.client);
    let Body(LeakedKey { access_key, secret }) = request.input;
    state.portal_users.count_leak_report(&client).await?;
    let tasks = state.tasks.clone();
    let revoking = tasks.run(async move {
        let (key, secret) = (access_key.expose(), secret.secret());
        let service_accounts = &state.service_accounts;
        let revoked = service_accounts.revoke_leaked(key, secret, &client).await;
        if let Err(error) = &revoked {
            tracing::error!(
                request_id = client.request_id,
                %error,
                "could not process a report of a leaked key"
            );
        }
        revoked
    });
    // Nobody is told that it is done before it is. If the database takes longer than the request may, the answer is
    // UNAVAILABLE, and the work continues.
    let (outcome, ()) = tokio::join!(revoking, sleep_until(answer_at));
    outcome?;
    Ok(NoContent)
}

request_body! {
    /// A leaked key with its secret.
    pub struct LeakedKey as "LeakedKey" {
        required access_key: ShownKey = "sa_a1b2c3_d4e5f6_0123456789abcdefghij",
        required secret as "secret_key": ShownKey,
    }
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
}
