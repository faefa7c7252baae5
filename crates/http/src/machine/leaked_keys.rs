//! `/leaked-keys`: who can show the secret of a key may end it (contract section 4).

use std::time::Duration;

use salvo::Writer;
use salvo::oapi::endpoint;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::extract::anonymous::AnyOrigin;
use crate::extract::json_body::{Body, request_body};
use crate::extract::values::ShownKey;
use crate::respond::answer::NoContent;
use crate::respond::{ApiError, ErrorType};

/// How old a report is when it is answered. Revoking a key takes less, so the time of the answer does not tell
/// whether there was one to revoke.
const ANSWER_TIME: Duration = Duration::from_millis(250);

/// Ends a key that has leaked: for secret scanners, and whoever finds one. If the secret is the key's own, the key is
/// revoked at once, and the audit events of its organization say so. The answer is the same, and as fast, whether it
/// is or not.
#[endpoint(operation_id = "reportLeakedKey", tags("keys"))]
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
                ?error,
                "a report of a leaked key came to nothing"
            );
        }
        revoked
    });
    // Where the database takes longer than that, the work goes on.
    let outcome = timeout_at(answer_at, revoking).await;
    sleep_until(answer_at).await;
    outcome.unwrap_or(Ok(()))?;
    Ok(NoContent)
}

request_body! {
    /// A key that has leaked, with its secret.
    pub struct LeakedKey as "LeakedKey" {
        required access_key: ShownKey = "sa_a1b2c3_d4e5f6_0123456789abcdefghij",
        required secret as "secret_key": ShownKey,
    }
    const REFUSES: &'static [ErrorType] = &[ErrorType::RateLimitExceeded];
}
