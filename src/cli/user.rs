//! `charter user`: manages users directly in the database.

use std::io::Write;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use charter_authz::snapshot::Snapshot;
use charter_domain::email::EmailAddress;
use charter_domain::timestamp;
use charter_domain::user::{OWNER, User};
use charter_store::{self as store, EntityRef};

use super::Error;
use super::operator::{Operator, OperatorArgs};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the users of an organization, oldest first
    List {
        /// The organization's id, code or slug
        organization: String,
    },
    Invite(InviteArgs),
    /// Give a user another role; an organization keeps an owner
    SetRole {
        /// The e-mail address
        email: String,
        /// A role of the policies' schema, `owner` among them
        role: String,
    },
    /// Disable a user, which ends all sessions at once
    Disable {
        /// The e-mail address
        email: String,
    },
    /// Enable a user, who must sign in again
    Enable {
        /// The e-mail address
        email: String,
    },
    /// End open sessions, for example those that a restored backup has opened again
    #[command(group = ArgGroup::new("whose").required(true).args(["email", "organization", "all"]))]
    SignOut {
        /// The e-mail address of one user
        email: Option<String>,
        /// All users of this organization: its id, code or slug
        #[arg(long)]
        organization: Option<String>,
        /// All users of the installation
        #[arg(long)]
        all: bool,
    },
}

/// Invite a user into an organization, by default as its owner
///
/// The running service, or the next one, sends the email with the link. Another invitation of the same address
/// replaces the first.
#[derive(Debug, Args)]
pub(super) struct InviteArgs {
    /// The organization's id, code or slug
    organization: String,
    /// The e-mail address
    email: String,
    /// A role of the policies' schema
    #[arg(long, default_value = OWNER)]
    role: String,
    /// Print the link, too; always done if no mail server is set
    #[arg(long)]
    print: bool,
}

/// Prints the result as JSON.
pub(super) fn run(args: &OperatorArgs<Command>, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        let shown = match &args.command {
            Command::List { organization } => {
                let organization = operator.organization(organization).await?;
                let named = EntityRef::Organization(organization.id);
                let members = operator.reader(named).await?.list_members().await?;
                let members: Vec<Value> = members.iter().map(shown).collect();
                args.output.list(out, &members)?;
                return Ok(ExitCode::SUCCESS);
            }
            Command::Invite(args) => invite(operator, args).await?,
            Command::SetRole { email, role } => set_role(operator, email, role).await?,
            Command::Disable { email } => set_active(operator, email, false).await?,
            Command::Enable { email } => set_active(operator, email, true).await?,
            Command::SignOut {
                email,
                organization,
                ..
            } => sign_out(operator, email.as_deref(), organization.as_deref()).await?,
        };
        args.output.one(out, &shown)?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn invite(operator: &Operator, args: &InviteArgs) -> Result<Value, Error> {
    let email = address(&args.email)?;
    require_role(operator, &args.role)?;
    let organization = operator.organization(&args.organization).await?;
    if let Some(login) = operator.store.find_login(&email).await?
        && login.user.organization_id != organization.id
        && login.user.email_verified
    {
        let elsewhere = login.user.organization_id.to_string();
        return Err(Error::BelongsElsewhere(email.to_string(), elsewhere));
    }
    let links = operator.links()?;
    let (new, link) = links.invitation(email.clone(), args.role.clone(), &organization)?;
    let named = EntityRef::Organization(organization.id);
    let invited = operator.writer(named).await?.invite(new).await;
    let invitation = invited.map_err(|error| match error {
        store::Error::AlreadyMember => Error::AlreadyMember(email.to_string()),
        store::Error::OrganizationInactive => Error::Deactivated(args.organization.clone()),
        other => other.into(),
    })?;
    let mut shown = json!({
        "id": invitation.id.to_string(),
        "organization_id": invitation.organization_id.to_string(),
        "email": invitation.email.as_str(),
        "role": invitation.role,
        "expires_at": timestamp::format(invitation.expires_at),
    });
    let is_mailed = operator.settings.mail.smtp_url.is_some();
    if let Value::Object(members) = &mut shown
        && (args.print || !is_mailed)
    {
        members.insert("link".to_owned(), link.expose_secret().into());
    }
    Ok(shown)
}

/// The owner's role is built in; others are defined by the policies.
fn require_role(operator: &Operator, role: &str) -> Result<(), Error> {
    if role == OWNER {
        return Ok(());
    }
    let policies = Snapshot::load(&operator.settings.policies.dir)?;
    let catalogue = policies.catalogue();
    if catalogue.has_role(role) {
        return Ok(());
    }
    let roles: Vec<&str> = catalogue.roles().collect();
    Err(Error::NoSuchRole(role.to_owned(), roles.join(", ")))
}

async fn set_role(operator: &Operator, email: &str, role: &str) -> Result<Value, Error> {
    require_role(operator, role)?;
    let user = find(operator, email).await?;
    let tenant = operator.writer(EntityRef::User(user.id)).await?;
    let unconditional = |_: &User| Ok::<_, store::Error>(());
    let changed = tenant.change_role(user.id, role, unconditional).await;
    let changed = changed.map_err(|error| refused(error, &user))?;
    Ok(shown(&changed))
}

async fn set_active(operator: &Operator, email: &str, is_active: bool) -> Result<Value, Error> {
    let user = find(operator, email).await?;
    let tenant = operator.writer(EntityRef::User(user.id)).await?;
    let changed = tenant.set_member_active(user.id, is_active).await;
    let changed = changed.map_err(|error| refused(error, &user))?;
    Ok(shown(&changed))
}

/// Without either, everybody. An organization that is done stays so if a later one fails.
async fn sign_out(
    operator: &Operator,
    email: Option<&str>,
    organization: Option<&str>,
) -> Result<Value, Error> {
    let store = &operator.store;
    let (organizations, user) = match (email, organization) {
        (Some(email), _) => {
            let user = find(operator, email).await?;
            (vec![user.organization_id], Some(user.id))
        }
        (None, Some(named)) => (vec![operator.organization(named).await?.id], None),
        (None, None) => (store.organizations_with_sessions().await?, None),
    };
    let mut ended = 0;
    for organization in organizations {
        let by = operator.audit_context();
        ended += store.sign_out(organization, user, &by).await?;
    }
    Ok(json!({"ended_sessions": ended}))
}

fn refused(error: store::Error, user: &User) -> Error {
    match error {
        store::Error::LastOwner => Error::LastOwner(user.email.clone()),
        store::Error::OrganizationInactive => Error::Deactivated(user.organization_id.to_string()),
        other => other.into(),
    }
}

async fn find(operator: &Operator, email: &str) -> Result<User, Error> {
    let address = address(email)?;
    let found = operator.store.find_login(&address).await?;
    found
        .map(|login| login.user)
        .ok_or_else(|| Error::NoSuchUser(address.to_string()))
}

fn address(email: &str) -> Result<EmailAddress, Error> {
    EmailAddress::parse(email).map_err(|error| Error::argument("EMAIL", error))
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
