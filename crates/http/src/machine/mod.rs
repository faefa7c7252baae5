//! The machine surface: operations for programs with signed requests (contract section 4).

pub(crate) mod accounts;
pub(crate) mod audit_events;
pub(crate) mod decision_list;
pub(crate) mod decisions;
mod grants;
pub(crate) mod leaked_keys;
mod objects;
pub(crate) mod organization;
pub(crate) mod permissions;
pub(crate) mod service_accounts;

use salvo::Router;

use crate::methods::Reads as _;

use service_accounts::{key_report, keys};

#[must_use]
pub(crate) fn router() -> Router {
    Router::new()
        .push(
            Router::with_path("organizations/info")
                .reads(organization::get)
                .patch(organization::update),
        )
        .push(
            Router::with_path("accounts")
                .reads(accounts::list)
                .post(accounts::create)
                .push(
                    Router::with_path("{id}")
                        .reads(accounts::get)
                        .patch(accounts::update),
                ),
        )
        .push(
            Router::with_path("service-accounts")
                .reads(service_accounts::list)
                .post(service_accounts::create)
                .push(one_service_account()),
        )
        .push(
            Router::with_path("decisions")
                .reads(decision_list::list)
                .push(Router::with_path("{id}").reads(decisions::get)),
        )
        .push(Router::with_path("audit-events").reads(audit_events::list))
        .push(Router::with_path("keys").reads(key_report::list))
        .push(Router::with_path("permissions").reads(permissions::list))
}

fn one_service_account() -> Router {
    Router::with_path("{id}")
        .reads(service_accounts::get)
        .patch(service_accounts::update)
        .delete(service_accounts::delete)
        .push(
            Router::with_path("keys")
                .reads(keys::list)
                .post(keys::create)
                .push(
                    Router::with_path("{key_id}")
                        .delete(keys::revoke)
                        .push(Router::with_path("rotate").post(keys::rotate)),
                ),
        )
}
