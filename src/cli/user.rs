//! `charter user`: people, straight on the database.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use charter_domain::caller::Scope;
use charter_domain::email::EmailAddress;
use charter_domain::timestamp;
use charter_domain::user::User;

use super::Error;
use super::operator::{Operator, SettingsArgs};

/// List, disable and enable people, straight on the database
#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the people of an organization, the oldest member first
    List {
        /// The organization's id, code or slug
        organization: String,
    },
    /// Keep somebody out: every session ends at once
    Disable {
        /// The e-mail address
        email: String,
    },
    /// Let somebody in again, who then signs in anew
    Enable {
        /// The e-mail address
        email: String,
    },
}

/// Does it, and prints the result as JSON lines.
///
/// # Errors
///
/// The settings', the values' or the database's faults.
pub fn run(args: &UserArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        match &args.command {
            Command::List { organization } => {
                let organization = operator.organization(organization).await?;
                let scope = Scope::of_operator(organization.id);
                for user in operator.store.within(scope).list_members().await? {
                    writeln!(out, "{}", shown(&user))?;
                }
            }
            Command::Disable { email } => set_active(operator, email, false, out).await?,
            Command::Enable { email } => set_active(operator, email, true, out).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn set_active(
    operator: &Operator,
    email: &str,
    is_active: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let address = EmailAddress::parse(email).map_err(|error| Error::argument("EMAIL", error))?;
    let found = operator.store.find_login(&address).await?;
    let user = found
        .ok_or_else(|| Error::NoSuchUser(address.to_string()))?
        .user;
    let scope = Scope::of_operator(user.organization_id);
    let user = operator
        .store
        .within(scope)
        .set_member_active(user.id, is_active, &operator.provenance())
        .await?;
    writeln!(out, "{}", shown(&user))?;
    Ok(())
}

fn shown(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "uuid": user.id.uuid().to_string(),
        "organization_id": user.organization_id.to_string(),
        "email": user.email,
        "role": user.role,
        "is_active": user.is_active,
        "email_verified": user.email_verified,
        "created_at": timestamp::format(user.created_at),
        "last_login_at": user.last_login_at.map(timestamp::format),
    })
}
