//! Parses a mail server's URL strictly: `smtp://` or `smtps://`, user and password, `?tls=required` or
//! `opportunistic`. Anything else is refused, because it may have been meant to protect the connection.

use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::transport_error::TransportError;

const SMTP: u16 = 25;
const SUBMISSION: u16 = 587;
const SUBMISSIONS: u16 = 465;

/// The transport to this server, with `hello` as the name for EHLO unless the URL's path has one. Errors never
/// contain the text, which may include a password.
pub(super) fn builder(
    text: &str,
    hello: ClientId,
) -> Result<AsyncSmtpTransportBuilder, TransportError> {
    let url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
    let host = match url.host() {
        // The URL's brackets are not part of the address.
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(host) => host.to_string(),
        None => return Err(refused("it has no host")),
    };
    let mut tls = None;
    for (name, value) in url.query_pairs() {
        if name != "tls" || tls.is_some() {
            return Err(refused(format!(
                "`{name}` is not a parameter, or is repeated: write `tls=required` for TLS"
            )));
        }
        tls = Some(value);
    }
    let parameters = || TlsParameters::new(host.clone());
    let (port, tls) = match (url.scheme(), tls.as_deref()) {
        ("smtp", None) => (SMTP, Tls::None),
        ("smtp", Some("required")) => (SUBMISSION, Tls::Required(parameters()?)),
        ("smtp", Some("opportunistic")) => (SUBMISSION, Tls::Opportunistic(parameters()?)),
        ("smtps", None) => (SUBMISSIONS, Tls::Wrapper(parameters()?)),
        ("smtp", Some(other)) => {
            return Err(refused(format!(
                "`tls={other}` is neither `required` nor `opportunistic`"
            )));
        }
        _ => {
            return Err(refused(
                "expected `smtp://HOST?tls=required` or `smtps://HOST`",
            ));
        }
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
        .port(url.port().unwrap_or(port))
        .hello_name(hello)
        .tls(tls);
    let name = url.path().trim_matches('/');
    if !name.is_empty() {
        builder = builder.hello_name(ClientId::Domain(name.to_owned()));
    }
    if let Some(password) = url.password() {
        let credentials = Credentials::new(decoded(url.username())?, decoded(password)?);
        builder = builder.credentials(credentials);
    }
    Ok(builder)
}

fn decoded(text: &str) -> Result<String, TransportError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| refused("user and password are not UTF-8"))?;
    Ok(decoded.into_owned())
}

fn refused(reason: impl Into<String>) -> TransportError {
    TransportError::Url(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_not_understood_are_refused_without_repeating_them() {
        for good in [
            "smtp://127.0.0.1:2525",
            "smtp://[::1]:2525",
            "smtp://user:p%40ss@mail.example/host.example?tls=required",
            "smtps://[2001:db8::7]",
            "smtp://mail.example?tls=opportunistic",
        ] {
            builder(good, ClientId::default()).expect(good);
        }
        for bad in [
            "smtp://user:hunter2@mail.example?TLS=required",
            "smtp://user:hunter2@mail.example?tls=Required",
            "smtp://user:hunter2@mail.example?tls=required&tls=opportunistic",
            "smtps://user:hunter2@mail.example?tls=required&starttls=1",
            "http://user:hunter2@mail.example",
            "smtp:user:hunter2",
        ] {
            let refused = builder(bad, ClientId::default())
                .expect_err(bad)
                .to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_server_with_an_ipv6_address_is_reached() {
        let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else {
            eprintln!("LEFT OUT: this machine has no IPv6");
            return;
        };
        let port = listener.local_addr().expect("an address").port();
        let builder =
            builder(&format!("smtp://[::1]:{port}"), ClientId::default()).expect("a builder");
        let transport = builder.build::<Tokio1Executor>();
        // Without a greeting the client would wait: it ends first only where it cannot connect.
        tokio::select! {
            reached = listener.accept() => drop(reached.expect("a connection")),
            ended = transport.test_connection() => panic!("not reached: {ended:?}"),
        }
    }
}
