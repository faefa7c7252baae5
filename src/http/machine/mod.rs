//! The machine surface: programs that sign their requests (contract section 4).

pub mod accounts;
pub mod decisions;
mod grants;
mod objects;
pub mod organization;
mod parse;
mod schemas;
pub mod service_accounts;

use salvo::Router;

use service_accounts::keys;

/// Its routes.
#[must_use]
pub fn router() -> Router {
    Router::new()
        .push(
            Router::with_path("organizations/info")
                .get(organization::get)
                .patch(organization::update),
        )
        .push(
            Router::with_path("accounts")
                .get(accounts::list)
                .post(accounts::create)
                .push(
                    Router::with_path("{id}")
                        .get(accounts::get)
                        .patch(accounts::update),
                ),
        )
        .push(
            Router::with_path("service-accounts")
                .get(service_accounts::list)
                .post(service_accounts::create)
                .push(one_service_account()),
        )
        .push(Router::with_path("decisions/{id}").get(decisions::get))
}

fn one_service_account() -> Router {
    Router::with_path("{id}")
        .get(service_accounts::get)
        .patch(service_accounts::update)
        .delete(service_accounts::delete)
        .push(
            Router::with_path("keys")
                .get(keys::list)
                .post(keys::create)
                .push(
                    Router::with_path("{key_id}")
                        .delete(keys::revoke)
                        .push(Router::with_path("rotate").post(keys::rotate)),
                ),
        )
}
