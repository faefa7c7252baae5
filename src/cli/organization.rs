//! `charter organization`: manages organizations directly in the database.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use charter_domain::account::Account;
use charter_domain::organization::Organization;
use charter_domain::slug::Slug;
use charter_domain::text::Name;
use charter_domain::timestamp;
use charter_store::NewOrganization;

use super::Error;
use super::operator::OperatorArgs;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an organization with its default account
    Create {
        /// Display name
        #[arg(long)]
        name: String,
        /// Its URL-safe name: 3 to 63 of `a-z0-9` with single inner hyphens
        #[arg(long)]
        slug: String,
    },
    /// List all organizations, oldest first
    List,
    /// Show an organization
    Show {
        /// Its id, code or slug
        organization: String,
    },
    /// Reactivate an organization; its keys stay revoked
    Reactivate {
        /// Its id, code or slug
        organization: String,
    },
}

/// Prints the result as JSON.
pub(super) fn run(args: &OperatorArgs<Command>, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        let store = &operator.store;
        let by = operator.audit_context();
        match &args.command {
            Command::Create { name, slug } => {
                let name = Name::parse(name).map_err(|error| Error::argument("--name", error))?;
                let slug = slug
                    .parse::<Slug>()
                    .map_err(|error| Error::argument("--slug", error))?;
                let (organization, account) = store
                    .create_organization(NewOrganization { name, slug }, &by)
                    .await?;
                let made = with_account(&organization, &account);
                args.output.one(out, &made)?;
            }
            Command::List => {
                let mut code = ExitCode::SUCCESS;
                let mut list = Vec::new();
                for (id, organization) in store.list_organizations().await? {
                    list.push(organization.as_ref().map_or_else(
                        |error| {
                            code = ExitCode::FAILURE;
                            json!({"id": id.to_string(), "unreadable": error.to_string()})
                        },
                        shown,
                    ));
                }
                args.output.list(out, &list)?;
                return Ok(code);
            }
            Command::Show { organization } => {
                let found = operator.organization(organization).await?;
                args.output.one(out, &shown(&found))?;
            }
            Command::Reactivate { organization } => {
                let found = operator.organization(organization).await?;
                let organization = store.reactivate_organization(found.id, &by).await?;
                args.output.one(out, &shown(&organization))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn shown(organization: &Organization) -> Value {
    json!({
        "id": organization.id.to_string(),
        "uuid": organization.id.uuid().to_string(),
        "code": organization.code.as_str(),
        "slug": organization.slug,
        "name": organization.name.as_str(),
        "plan_tier": organization.plan_tier.as_str(),
        "is_active": organization.is_active,
        "created_at": timestamp::format(organization.created_at),
    })
}

fn with_account(organization: &Organization, account: &Account) -> Value {
    let mut value = shown(organization);
    if let Value::Object(members) = &mut value {
        members.insert(
            "default_account_id".to_owned(),
            account.id.to_string().into(),
        );
    }
    value
}
