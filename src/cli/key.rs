//! `charter key`: manages access keys directly in the database, for example a tenant's first key.

use std::io::Write;
use std::process::ExitCode;

use clap::{ArgGroup, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::app::provision;
use charter_domain::access_key::AccessKey;
use charter_domain::id::ServiceAccountId;
use charter_domain::permission::Permission;
use charter_domain::text::Name;
use charter_domain::timestamp;
use charter_store::{self as store, EntityRef};

use super::Error;
use super::operator::{Operator, OperatorArgs};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Issue a key; its secret is printed once
    #[command(group = ArgGroup::new("owner").required(true).args(["service_account", "name"]))]
    Issue {
        /// The organization's id, code or slug
        organization: String,
        /// The service account that is to sign with it
        #[arg(long, value_name = "ID")]
        service_account: Option<ServiceAccountId>,
        /// Make a service account of this name in the default account first
        #[arg(long)]
        name: Option<String>,
        /// A permission of the new service account; repeat for more
        #[arg(
            long = "permission",
            value_name = "PERMISSION",
            requires = "name",
            conflicts_with = "service_account"
        )]
        permissions: Vec<Permission>,
        /// When the key expires, `YYYY-MM-DDTHH:MM:SSZ`; never if left out
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// List the keys of an organization, newest first, never their secrets
    List {
        /// The organization's id, code or slug
        organization: String,
        /// Also those that are revoked or expired
        #[arg(long)]
        include_inactive: bool,
    },
    /// Revoke a key, for good; once more does no harm
    Revoke {
        /// The access key, `sa_…`, or its id, `key-…`
        #[arg(value_name = "ACCESS_KEY")]
        key: String,
    },
}

/// Prints the result as JSON.
pub(super) fn run(args: &OperatorArgs<Command>, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        match &args.command {
            Command::Issue {
                organization,
                service_account,
                name,
                permissions,
                expires_at,
            } => {
                let owner = Owner {
                    existing: *service_account,
                    name: name.as_deref(),
                    permissions,
                };
                let issued = issue(operator, organization, &owner, expires_at.as_deref()).await?;
                args.output.one(out, &issued)?;
            }
            Command::List {
                organization,
                include_inactive,
            } => {
                let found = operator.organization(organization).await?;
                let tenant = operator.reader(EntityRef::Organization(found.id)).await?;
                let keys = tenant.all_keys(*include_inactive).await?;
                let keys: Vec<Value> = keys.iter().map(shown).collect();
                args.output.list(out, &keys)?;
            }
            Command::Revoke { key: named } => {
                let found = operator.store.find_access_key(named).await?;
                let key = found.ok_or_else(|| Error::NoSuchKey(named.clone()))?;
                let (owner, named) = (key.service_account_id, EntityRef::AccessKey(key.id));
                let writer = operator.writer(named).await?;
                writer.revoke_key(owner, key.id).await?;
                let key = operator.reader(named).await?.key(owner, key.id).await?;
                args.output.one(out, &shown(&key))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

struct Owner<'a> {
    existing: Option<ServiceAccountId>,
    name: Option<&'a str>,
    permissions: &'a [Permission],
}

async fn issue(
    operator: &Operator,
    organization: &str,
    owner: &Owner<'_>,
    expires_at: Option<&str>,
) -> Result<Value, Error> {
    let now = operator.audit_context().at;
    let expires_at = expires_at.map(timestamp::parse).transpose();
    let expires_at = expires_at.map_err(|error| Error::argument("--expires-at", error))?;
    let expires_at = expires_at.map(timestamp::to_seconds);
    if expires_at.is_some_and(|at| at <= now) {
        return Err(Error::argument("--expires-at", "must lie in the future"));
    }
    let mint = operator.mint()?;
    let named = organization;
    let organization = operator.organization(named).await?;
    let scope = EntityRef::Organization(organization.id);
    let (tenant, writer) = (operator.reader(scope).await?, operator.writer(scope).await?);
    let service_account = match (owner.existing, owner.name) {
        (Some(id), _) => tenant
            .service_account(id)
            .await
            .map_err(|error| not_in(named, "service account", error))?,
        (None, name) => {
            let name = Name::parse(name.unwrap_or_default())
                .map_err(|error| Error::argument("--name", error))?;
            let account = tenant.default_account().await?;
            provision::service_account(&writer, &account, name, owner.permissions).await?
        }
    };
    let account = tenant.account(service_account.account_id).await?;
    let (key, secret) = provision::access_key(
        &writer,
        &mint,
        (&organization, &account),
        &service_account,
        expires_at,
    )
    .await?;
    Ok(json!({
        "id": key.id.to_string(),
        "service_account_id": service_account.id.to_string(),
        "access_key": key.access_key,
        "secret_key": secret.expose_secret(),
    }))
}

fn shown(key: &AccessKey) -> Value {
    json!({
        "id": key.id.to_string(),
        "access_key": key.access_key,
        "organization_id": key.organization_id.to_string(),
        "service_account_id": key.service_account_id.to_string(),
        "description": key.description.as_str(),
        "ip_allowlist": key.ip_allowlist.to_texts(),
        "created_at": timestamp::format(key.created_at),
        "expires_at": key.expires_at.map(timestamp::format),
        "last_used_at": key.last_used_at.map(timestamp::format),
        "revoked_at": key.revoked_at.map(timestamp::format),
    })
}

fn not_in(organization: &str, what: &'static str, error: store::Error) -> Error {
    match error {
        store::Error::NotFound => Error::NotInOrganization {
            organization: organization.to_owned(),
            what,
        },
        other => other.into(),
    }
}
