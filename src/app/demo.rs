//! The demo: an organization with service accounts, keys and an owner, created once.

use std::path::{Path, PathBuf};
use std::{fs, io};

use secrecy::{ExposeSecret, SecretString};

use charter_authn::secrets::password;
use charter_authn::secrets::password::Workspace;
use charter_authn::signed::mint::KeyMint;
use charter_domain::account::Account;
use charter_domain::audit::AuditContext;
use charter_domain::code::random_text;
use charter_domain::email::EmailAddress;
use charter_domain::entropy::Entropy;
use charter_domain::id::UserId;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::text::Name;
use charter_domain::timestamp::Timestamp;
use charter_store::{
    self as store, EntityRef, NewOrganization, NewUser, Store, TenantReader, TenantWriter,
};
use charter_system::atomic;

use super::provision;
use super::{App, StartError};

const SLUG: &str = "acme";
pub(super) const OWNER_EMAIL: &str = "owner@acme.example";
const BASE_URL: &str = "CHARTER_BASE_URL";
pub(super) const PORTAL_PASSWORD: &str = "CHARTER_PORTAL_PASSWORD";

/// The file with the demo's credentials.
#[must_use]
pub fn env_file(data_dir: &Path) -> PathBuf {
    data_dir.join("demo.env")
}

/// Creates the demo's organization if this data directory has none, and writes the current address to the
/// credentials' file.
pub async fn prepare(
    app: &App,
    entropy: &dyn Entropy,
    data_dir: &Path,
    base_url: &str,
) -> Result<(), StartError> {
    let file = env_file(data_dir);
    let unfinished = Unfinished::beside(&file);
    let values = match fs::read_to_string(&file) {
        Ok(text) => without_base_url(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let password = unfinished.begin(&app.store, entropy).await?;
            let by = provision::operator(&*app.state.clock);
            make(&app.store, &app.state.mint, entropy, &password, &by).await?
        }
        Err(error) => return Err(StartError::Write(file, error)),
    };
    let text = format!("export {BASE_URL}='{base_url}'\n{values}");
    atomic::replace_private(&file, text.as_bytes())
        .map_err(|error| StartError::Write(file, error))?;
    unfinished.end()
}

/// Marks that this data directory is creating the demo; after an interruption the next start continues. The file
/// holds the owner's password, since it is hashed only once.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(file: &Path) -> Self {
        Self(file.with_extension("env.unfinished"))
    }

    /// The owner's password.
    async fn begin(
        &self,
        store: &Store,
        entropy: &dyn Entropy,
    ) -> Result<SecretString, StartError> {
        match fs::read_to_string(&self.0) {
            Ok(password) => return Ok(password.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StartError::Write(self.0.clone(), error)),
        }
        // An organization that this data directory did not create must not be taken over.
        match store.find_organization(SLUG).await {
            Err(store::Error::NotFound) => {}
            Ok(_) => return Err(store::Error::SlugTaken.into()),
            Err(error) => return Err(error.into()),
        }
        let password = SecretString::from(random_text(entropy, 24));
        atomic::replace_private(&self.0, password.expose_secret().as_bytes())
            .map_err(|error| StartError::Write(self.0.clone(), error))?;
        Ok(password)
    }

    fn end(&self) -> Result<(), StartError> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StartError::Write(self.0.clone(), error))
            }
            _ => Ok(()),
        }
    }
}

fn without_base_url(text: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| !line.contains(BASE_URL))
        .collect()
}

/// Reuses what an interrupted start has created, except keys: their secrets are lost, so it creates new ones.
async fn make(
    store: &Store,
    mint: &KeyMint,
    entropy: &dyn Entropy,
    password: &SecretString,
    by: &AuditContext,
) -> Result<String, StartError> {
    let (organization, account) = match store.find_organization(SLUG).await {
        Ok(organization) => {
            let scope = store
                .locate(EntityRef::Organization(organization.id))
                .await?;
            let account = store.within(scope).default_account().await?;
            (organization, account)
        }
        Err(store::Error::NotFound) => {
            let new = NewOrganization {
                name: Name::from_stored("Acme Corporation".to_owned()),
                slug: SLUG.parse().map_err(StartError::DemoSlug)?,
            };
            store.create_organization(new, by).await?
        }
        Err(error) => return Err(error.into()),
    };
    let scope = store
        .locate(EntityRef::Organization(organization.id))
        .await?;
    let demo = Demo {
        reader: store.within(scope),
        writer: store.write_within(scope, by.clone()),
        at: by.at,
        mint,
        organization,
        account,
    };
    let writer = [Permission::GetOrganization, Permission::UpdateOrganization];
    let reader = [Permission::GetOrganization];
    let mut text = demo.service_account("Demo", &writer, "CHARTER").await?;
    text += &demo
        .service_account("Demo reader", &reader, "CHARTER_READER")
        .await?;
    text += &demo
        .service_account("Demo manager", &manager(), "CHARTER_MANAGER")
        .await?;
    demo.owner(entropy, password).await?;
    text += &export("CHARTER_PORTAL_EMAIL", OWNER_EMAIL);
    text += &export(PORTAL_PASSWORD, password.expose_secret());
    Ok(text)
}

/// All permissions of the machine surface.
fn manager() -> Vec<Permission> {
    Permission::ALL
        .iter()
        .copied()
        .filter(|permission| {
            let name = permission.as_str();
            name.starts_with("accounts:")
                || name.starts_with("service-accounts:")
                || matches!(
                    permission,
                    Permission::GetOrganization | Permission::UpdateOrganization
                )
        })
        .collect()
}

struct Demo<'a> {
    reader: TenantReader<'a>,
    writer: TenantWriter<'a>,
    at: Timestamp,
    mint: &'a KeyMint,
    organization: Organization,
    account: Account,
}

impl Demo<'_> {
    async fn service_account(
        &self,
        name: &str,
        permissions: &[Permission],
        prefix: &str,
    ) -> Result<String, StartError> {
        let name = Name::from_stored(name.to_owned());
        let made = provision::service_account(&self.writer, &self.account, name, permissions);
        let service_account = made.await?;
        let (key, secret) = provision::access_key(
            &self.writer,
            self.mint,
            (&self.organization, &self.account),
            &service_account,
            None,
        )
        .await?;
        Ok(export(&format!("{prefix}_ACCESS_KEY"), &key.access_key)
            + &export(&format!("{prefix}_SECRET_KEY"), secret.expose_secret()))
    }

    async fn owner(
        &self,
        entropy: &dyn Entropy,
        password: &SecretString,
    ) -> Result<(), StartError> {
        let new = NewUser {
            id: UserId::generate(self.at, entropy),
            email: EmailAddress::from_stored(OWNER_EMAIL.to_owned()),
            password_hash: password::hash(password, entropy, &mut Workspace::default())?,
            role: "owner".to_owned(),
            email_verified_at: Some(self.at),
        };
        match self.writer.create_user(new).await {
            Err(store::Error::EmailTaken) if self.has_owner().await? => Ok(()),
            made => Ok(made.map(drop)?),
        }
    }

    /// Whether an interrupted start has created the owner, with the same password.
    async fn has_owner(&self) -> Result<bool, StartError> {
        let members = self.reader.list_members().await?;
        Ok(members.iter().any(|member| member.email == OWNER_EMAIL))
    }
}

/// A line of the credentials' file.
pub(super) fn export(name: &str, value: &str) -> String {
    format!("export {name}='{value}'\n")
}
