//! Builds the user service (tokens, passwords, limits) and the mail sender.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::Notify;
use url::{Host, Url};

use crate::settings::Settings;
use crate::settings::keys::{Key, Keys};
use charter_authn::limits::rate_limit::RateLimits;
use charter_authn::limits::{AnonymousLimits, InProcessLimits, SharedLimits};
use charter_authn::nonces::SharedCounters;
use charter_authn::secrets::Sealer;
use charter_authn::secrets::access_token::AccessTokens;
use charter_authn::secrets::device::DeviceKeys;
use charter_authn::secrets::opaque_token::SuccessorKeys;
use charter_authn::secrets::password_pool::PasswordPool;
use charter_authn::users::link_mails::LinkMails;
use charter_authn::users::{PortalUserParts, PortalUsers};
use charter_budgets::Budgets;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::entropy::Entropy;
use charter_http::edge::origin::Origins;
use charter_mail::{Composer, Sender, Transport};
use charter_store::Store;

use super::keys::sealer;
use super::start_error::StartError;

/// How long a password hash may wait; with the wait for the queue, less than a request's deadline.
const WAIT_TIMEOUT: Duration = Duration::from_secs(14);

/// The public address of the service.
pub(super) struct BaseUrl {
    text: String,
    url: Url,
}

impl BaseUrl {
    pub(super) fn parse(text: &str) -> Result<Self, StartError> {
        let url = Url::parse(text).map_err(|error| StartError::BaseUrl(text.to_owned(), error))?;
        let base_url = Self {
            text: text.trim_end_matches('/').to_owned(),
            url,
        };
        Ok(base_url)
    }

    /// Why browsers cannot use this address, if so.
    pub(super) fn warning(&self) -> Option<&'static str> {
        (self.url.scheme() == "http" && !self.is_local()).then_some(
            "browsers will not keep people signed in: the refresh cookie is for https only; set \
             `portal.base_url` to the https address that people use",
        )
    }

    fn links(
        &self,
        sealer: &Arc<Sealer>,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> LinkMails {
        LinkMails {
            sealer: Arc::clone(sealer),
            base_url: self.text.clone(),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        }
    }

    /// Whether it is plain http on this machine.
    pub(super) fn is_local(&self) -> bool {
        let is_here = match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        self.url.scheme() == "http" && is_here
    }

    /// The host for the mail server's greeting; `None` if other machines could not resolve it.
    fn mail_name(&self) -> Option<Host<String>> {
        self.url
            .host()
            .map(|host| host.to_owned())
            .filter(|host| match host {
                Host::Domain(name) => name.contains('.'),
                Host::Ipv4(ip) => !ip.is_loopback() && !ip.is_unspecified(),
                Host::Ipv6(ip) => !ip.is_loopback() && !ip.is_unspecified(),
            })
    }

    pub(super) fn origins(&self, more: &[String]) -> Origins {
        let own = self.url.origin().ascii_serialization();
        Origins::new(more.iter().cloned().chain([own]).collect())
    }
}

/// The services that the parts share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) store: &'a Arc<Store>,
    pub(super) sealer: &'a Arc<Sealer>,
    pub(super) outbox: &'a Arc<Notify>,
    pub(super) counters: Option<&'a SharedCounters>,
    pub(super) rates: &'a Arc<RateLimits>,
    pub(super) budgets: &'a Arc<Budgets>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) confirmed: &'a Arc<ConfirmedClock>,
    pub(super) entropy: &'a Arc<dyn Entropy>,
}

pub(super) fn portal_users(
    settings: &Settings,
    keys: &Keys,
    base_url: &BaseUrl,
    shared: Shared<'_>,
) -> Result<PortalUsers, StartError> {
    let portal = &settings.portal;
    let clock = || Arc::clone(shared.clock);
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let at_once = match portal.hashes_at_once {
        // At least half of the processors remain for other work.
        0 => (processors() / 2).max(1),
        set => set,
    };
    Ok(PortalUsers::new(PortalUserParts {
        store: Arc::clone(shared.store),
        memory: settings.database.cache.sessions(),
        tokens: AccessTokens::new(materials(&keys.token), base_url.text.clone())?,
        devices: DeviceKeys::new(keys.refresh.iter().map(|key| *key.expose())),
        successors: SuccessorKeys::new(materials(&keys.refresh)),
        passwords: PasswordPool::new(at_once, WAIT_TIMEOUT, Arc::clone(shared.entropy))?,
        links: base_url.links(shared.sealer, shared.clock, shared.entropy),
        limits: limits(
            InProcessLimits::new(portal.limits, clock()),
            shared.counters,
        ),
        rates: Arc::clone(shared.rates),
        budgets: Arc::clone(shared.budgets),
        outbox: Arc::clone(shared.outbox),
        registration_is_open: portal.registration_is_open,
        clock: clock(),
        entropy: Arc::clone(shared.entropy),
    }))
}

/// Shared by all replicas, if there may be several.
fn limits(own: InProcessLimits, counters: Option<&SharedCounters>) -> Arc<dyn AnonymousLimits> {
    match counters {
        None => Arc::new(own),
        Some(counters) => Arc::new(SharedLimits::new(own, counters.clone())),
    }
}

/// Whether these keys can sign access tokens.
pub(super) fn check_token_keys(keys: &Keys) -> Result<(), StartError> {
    AccessTokens::new(materials(&keys.token), String::new())?;
    Ok(())
}

/// Makes links for the emails of an operator's command, from the settings alone.
pub fn link_mails(
    settings: &Settings,
    keys: &Keys,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<LinkMails, StartError> {
    let base_url = base_url(settings);
    if settings.portal.base_url.is_none() && settings.server.listen.port() == 0 {
        return Err(StartError::NoBaseUrl);
    }
    let sealer = Arc::new(sealer(keys)?);
    Ok(BaseUrl::parse(&base_url)?.links(&sealer, clock, entropy))
}

/// The configured public address.
pub(super) fn base_url(settings: &Settings) -> String {
    let listen = || format!("http://{}", settings.server.listen);
    settings.portal.base_url.clone().unwrap_or_else(listen)
}

fn materials(keys: &[Key]) -> Vec<(String, [u8; 32])> {
    let material = |key: &Key| (key.id().to_owned(), *key.expose());
    keys.iter().map(material).collect()
}

pub(super) fn mail_sender(
    settings: &Settings,
    base_url: &BaseUrl,
    shared: Shared<'_>,
) -> Result<Sender, StartError> {
    let (composer, transport) = mail(settings, base_url)?;
    Ok(Sender {
        store: Arc::clone(shared.store),
        sealer: Arc::clone(shared.sealer),
        composer,
        transport,
        changed: Arc::clone(shared.outbox),
        clock: Arc::clone(shared.clock),
        confirmed: Arc::clone(shared.confirmed),
    })
}

/// How emails are rendered and sent.
pub(super) fn mail(
    settings: &Settings,
    base_url: &BaseUrl,
) -> Result<(Composer, Transport), StartError> {
    let composer = Composer::new(&settings.mail.from)?;
    let transport = if let Some(url) = &settings.mail.smtp_url {
        let name = settings.mail.helo.clone().map(Host::Domain);
        Transport::smtp(url.expose_secret(), name.or_else(|| base_url.mail_name()))?
    } else {
        let directory = settings.data_dir.join("mail");
        // On other machines, nobody would find the files.
        if !base_url.is_local() {
            tracing::warn!(
                directory = %directory.display(),
                "no mail server is set: emails are written to files; set `mail.smtp_url`"
            );
        }
        Transport::files(directory)
    };
    Ok((composer, transport))
}
