//! Hundreds of thousands of organizations, keys and sessions: copies of the demo's rows with their own ids, and
//! with secrets and tokens of the service's own keys. The audit log does not contain them.

use std::fs;
use std::path::Path;

use clap::Args;
use sea_orm::prelude::Uuid;
use sea_orm::{DatabaseTransaction, TransactionTrait as _, Value};
use secrecy::ExposeSecret as _;

use charter::settings::Settings;
use charter_authn::secrets::access_token::AccessTokens;
use charter_authn::secrets::{Binding, Sealer, mint_access_key, mint_secret};
use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::code::Code;
use charter_domain::entropy::OsEntropy;
use charter_domain::id::{
    AccessKeyId, AccountId, OrganizationId, ServiceAccountId, SessionId, UserId,
};
use charter_domain::timestamp::Timestamp;

use crate::BASE_URL;
use crate::charter::Client;
use crate::copies::{self, Copies};

#[derive(Debug, Args)]
pub(crate) struct Amounts {
    /// Organizations, each with an account and a service account
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2..1_000_000))]
    organizations: u32,
    /// Access keys, dealt out among the organizations
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(2..))]
    keys: u32,
    /// People who are signed in, dealt out likewise
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..))]
    sessions: u32,
}

pub(crate) struct Tenants {
    /// The first ones belong to different organizations.
    pub(crate) keys: Vec<Client>,
    pub(crate) organizations: usize,
    sessions: Vec<(UserId, OrganizationId, SessionId)>,
    tokens: AccessTokens,
}

impl Tenants {
    /// Adds them to the database of a stopped demo.
    pub(crate) fn make(data: &Path, amounts: &Amounts) -> Self {
        let keys = fs::read_to_string(data.join("keys.toml")).expect("the demo's keys");
        let settings = Settings::from_sources(&keys, []).expect("settings");
        let keys = settings.require_keys().expect("keys");
        let token_keys = keys.token.iter();
        let token_keys = token_keys.map(|key| (key.id().to_owned(), *key.expose()));
        let tokens = AccessTokens::new(token_keys, BASE_URL.to_owned()).expect("its keys");
        let sealer = charter::app::sealer(keys).expect("its keys");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (keys, sessions) = runtime.block_on(insert(&data.join("charter.db"), &sealer, amounts));
        Self {
            keys,
            organizations: amounts.organizations as usize,
            sessions,
            tokens,
        }
    }

    /// New access tokens for the first sessions.
    pub(crate) fn tokens(&self, count: usize) -> Vec<String> {
        let sessions = self.sessions.iter().take(count);
        let issue = |(user, organization, session): &_| {
            let tokens = &self.tokens;
            tokens.issue(*user, *organization, *session, now(), &OsEntropy)
        };
        let issued: Result<_, _> = sessions.map(issue).collect();
        issued.expect("tokens")
    }
}

fn now() -> Timestamp {
    SystemClock::start().now()
}

type Made = (Vec<Client>, Vec<(UserId, OrganizationId, SessionId)>);

async fn insert(file: &Path, sealer: &Sealer, amounts: &Amounts) -> Made {
    let database = copies::open(file).await;
    let rows = database.begin().await.expect("a transaction");
    let owners = organizations(&rows, amounts.organizations).await;
    let keys = keys(&rows, sealer, &owners, amounts.keys).await;
    let sessions = sessions(&rows, &owners, amounts.sessions).await;
    rows.commit().await.expect("committed");
    database.close().await.expect("closed");
    (keys, sessions)
}

/// The organization of a key.
struct Owner {
    organization: OrganizationId,
    /// Of the organization and of its account.
    code: Code,
    service_account: ServiceAccountId,
}

async fn organizations(rows: &DatabaseTransaction, count: u32) -> Vec<Owner> {
    let organizations = Copies::of(rows, "organizations", &["id", "code", "slug"]).await;
    let names = Copies::of(rows, "organization_names", &["organization_id", "name"]).await;
    let accounts = Copies::of(rows, "accounts", &["id", "organization_id", "code"]).await;
    let columns = ["id", "organization_id", "account_id"];
    let service_accounts = Copies::of(rows, "service_accounts", &columns).await;
    let mut owners = Vec::new();
    for number in 0..count {
        let (organization, account, service_account) = (
            OrganizationId::generate(now(), &OsEntropy),
            AccountId::generate(now(), &OsEntropy),
            ServiceAccountId::generate(now(), &OsEntropy),
        );
        let id = organization.uuid();
        let code = format!("{number:06}");
        let slug = format!("load-{number}");
        let row = [id.into(), (&code).into(), (&slug).into()];
        organizations.insert(row).await;
        names.insert([id.into(), (&code).into()]).await;
        names.insert([id.into(), (&slug).into()]).await;
        let row = [account.uuid().into(), id.into(), (&code).into()];
        accounts.insert(row).await;
        let row = [service_account.uuid(), id, account.uuid()];
        service_accounts.insert(row.map(Value::from)).await;
        owners.push(Owner {
            organization,
            code: code.parse().expect("six digits"),
            service_account,
        });
    }
    owners
}

async fn keys(
    rows: &DatabaseTransaction,
    sealer: &Sealer,
    owners: &[Owner],
    count: u32,
) -> Vec<Client> {
    let columns = [
        "id",
        "organization_id",
        "service_account_id",
        "access_key",
        "sealed_secret",
        "sealing_key_id",
    ];
    let copies = Copies::of(rows, "access_keys", &columns).await;
    let mut keys = Vec::new();
    for (owner, _) in owners.iter().cycle().zip(0..count) {
        let binding = Binding {
            key: AccessKeyId::generate(now(), &OsEntropy),
            organization: owner.organization,
        };
        let secret = mint_secret(&OsEntropy);
        let stored = sealer.seal(&secret, binding, &OsEntropy).expect("sealed");
        let client = Client {
            access_key: mint_access_key(&owner.code, &owner.code, &OsEntropy),
            secret_key: secret.expose_secret().to_owned(),
        };
        let row: [Value; 6] = [
            binding.key.uuid().into(),
            owner.organization.uuid().into(),
            owner.service_account.uuid().into(),
            (&client.access_key).into(),
            stored.bytes.into(),
            stored.sealing_key_id.into(),
        ];
        copies.insert(row).await;
        keys.push(client);
    }
    keys
}

async fn sessions(
    rows: &DatabaseTransaction,
    owners: &[Owner],
    count: u32,
) -> Vec<(UserId, OrganizationId, SessionId)> {
    let users = Copies::of(rows, "users", &["id", "organization_id", "email"]).await;
    let columns = ["id", "organization_id", "user_id", "refresh_hash"];
    let copies = Copies::of(rows, "sessions", &columns).await;
    let mut sessions = Vec::new();
    for (owner, number) in owners.iter().cycle().zip(0..count) {
        let organization = owner.organization;
        let user = UserId::generate(now(), &OsEntropy);
        let session = SessionId::generate(now(), &OsEntropy);
        let email = format!("person-{number}@load.example");
        let row = [user.uuid().into(), organization.uuid().into(), email.into()];
        users.insert(row).await;
        // Refreshing is not measured.
        let hash = [session.uuid(), user.uuid()].map(Uuid::into_bytes).concat();
        let ids = [session.uuid(), organization.uuid(), user.uuid()].map(Value::from);
        let row = ids.into_iter().chain([hash.into()]);
        copies.insert(row).await;
        sessions.push((user, organization, session));
    }
    sessions
}
