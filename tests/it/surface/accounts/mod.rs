//! `/accounts`

mod list;
mod one;
mod wake;

use serde_json::{Value, json};
use test_support::service::{Persona as _, Signer};

const ACCOUNTS: &str = "/accounts";

/// A new account of that name.
async fn new_account(manager: &Signer, name: &str) -> Value {
    manager
        .post(ACCOUNTS, json!({"name": name}))
        .await
        .created()
}

fn path(account: &Value) -> String {
    format!("/accounts/{}", account["id"].as_str().expect("an id"))
}
