//! The demo: an organization with service accounts, keys and an owner, made once, so that a
//! newcomer has something to call.

use std::path::{Path, PathBuf};
use std::{fs, io};

use secrecy::{ExposeSecret, SecretString};

use charter_authn::secrets::password;
use charter_authn::secrets::password::Workspace;
use charter_authn::signed::mint::KeyMint;
use charter_domain::account::Account;
use charter_domain::audit::Provenance;
use charter_domain::caller::Scope;
use charter_domain::code::random_text;
use charter_domain::email::EmailAddress;
use charter_domain::entropy::Entropy;
use charter_domain::id::UserId;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::text::Name;
use charter_store::{NewOrganization, NewUser, Store};
use charter_system::private;

use super::provision;
use super::{App, StartError};

const SLUG: &str = "acme";
const OWNER_EMAIL: &str = "owner@acme.example";
const BASE_URL: &str = "CHARTER_BASE_URL";

/// Where the demo's credentials are.
#[must_use]
pub fn env_file(data_dir: &Path) -> PathBuf {
    data_dir.join("demo.env")
}

/// Makes the demo's organization if this data directory has none, and notes where the service is
/// reached this time.
///
/// # Errors
///
/// The store's, or the file cannot be written.
pub async fn prepare(
    app: &App,
    entropy: &dyn Entropy,
    data_dir: &Path,
    base_url: &str,
) -> Result<(), StartError> {
    let file = env_file(data_dir);
    let values = match fs::read_to_string(&file) {
        Ok(text) => without_base_url(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(
                &app.state.store,
                &app.state.mint,
                entropy,
                &provision::operator(&*app.state.clock),
            )
            .await?
        }
        Err(error) => return Err(StartError::Write(file, error)),
    };
    let text = format!("export {BASE_URL}='{base_url}'\n{values}");
    let draft = file.with_extension("env.new");
    private::replace(&file, &draft, text.as_bytes()).map_err(|error| StartError::Write(file, error))
}

fn without_base_url(text: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| !line.contains(BASE_URL))
        .collect()
}

async fn make(
    store: &Store,
    mint: &KeyMint,
    entropy: &dyn Entropy,
    by: &Provenance,
) -> Result<String, StartError> {
    let new = NewOrganization {
        name: Name::from_stored("Acme Corporation".to_owned()),
        slug: SLUG.parse().map_err(StartError::DemoSlug)?,
    };
    let (organization, account) = store.create_organization(new, by).await?;
    let demo = Demo {
        store,
        mint,
        by,
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
    let password = demo.owner(entropy).await?;
    text += &export("CHARTER_PORTAL_EMAIL", OWNER_EMAIL);
    text += &export("CHARTER_PORTAL_PASSWORD", password.expose_secret());
    Ok(text)
}

/// Everything that the machine surface offers.
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
    store: &'a Store,
    mint: &'a KeyMint,
    by: &'a Provenance,
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
        let made =
            provision::service_account(self.store, &self.account, name, permissions, self.by);
        let service_account = made.await?;
        let (key, secret) = provision::access_key(
            self.store,
            self.mint,
            (&self.organization, &self.account),
            &service_account,
            None,
            self.by,
        )
        .await?;
        Ok(export(&format!("{prefix}_ACCESS_KEY"), &key.access_key)
            + &export(&format!("{prefix}_SECRET_KEY"), secret.expose_secret()))
    }

    async fn owner(&self, entropy: &dyn Entropy) -> Result<SecretString, StartError> {
        let password = SecretString::from(random_text(entropy, 24));
        let new = NewUser {
            id: UserId::generate(self.by.at, entropy),
            email: EmailAddress::from_stored(OWNER_EMAIL.to_owned()),
            password_hash: password::hash(&password, entropy, &mut Workspace::default())?,
            role: "owner".to_owned(),
            email_verified_at: Some(self.by.at),
        };
        let scope = Scope::of_operator(self.organization.id);
        self.store.within(scope).create_user(new, self.by).await?;
        Ok(password)
    }
}

fn export(name: &str, value: &str) -> String {
    format!("export {name}='{value}'\n")
}

/// What to try, for a person who just started the demo.
#[must_use]
pub fn what_to_try(data_dir: &Path) -> String {
    let file = env_file(data_dir);
    let file = file.display();
    let mail = data_dir.join("mail");
    let mail = mail.display();
    format!(
        "\nThe demo organization is Acme Corporation. In another terminal, from this directory:\n\n\
         \x20 source {file}\n\
         \x20 cargo run --release -- request GET /organizations/info\n\
         \x20 cargo run --release -- request PATCH /organizations/info -d '{{\"name\": \"Acme Inc.\"}}'\n\
         \x20 cargo run --release -- request GET /organizations/info --curl\n\n\
         The last one prints a freshly signed curl line. {file} also has a service account that may\n\
         only read (CHARTER_READER_…), one that manages accounts, service accounts and keys\n\
         (CHARTER_MANAGER_…), and the owner's sign-in for the portal, CHARTER_PORTAL_EMAIL and\n\
         CHARTER_PORTAL_PASSWORD:\n\n\
         \x20 curl \"$CHARTER_BASE_URL/api/auth/login\" --json \"{{\\\"email\\\": \\\"$CHARTER_PORTAL_EMAIL\\\", \\\"password\\\": \\\"$CHARTER_PORTAL_PASSWORD\\\"}}\"\n\n\
         Mails, such as that of a registration, are files in {mail}. The README goes on from\n\
         here, \"From zero to a signed request\"; browse the API at /docs.\n"
    )
}
