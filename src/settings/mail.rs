//! `[mail]`: the mail server and the sender.

use secrecy::SecretString;
use url::{Host, Url};

use super::reader::Reader;
use super::values::Mail;

pub(super) fn read(reader: &mut Reader) -> Mail {
    let from = reader.parsed("mail.from", String::new(), |text| match text {
        "" => Ok(String::new()),
        text => charter_mail::check_sender(text).map(|()| text.to_owned()),
    });
    let smtp_url = reader.parsed("mail.smtp_url", None, |text| match text {
        "" => Ok(None),
        text => mail_server(text).map(|text| Some(SecretString::from(text))),
    });
    if smtp_url.is_some() && from.is_empty() {
        reader.disagreement(
            "mail.from",
            "is needed when `mail.smtp_url` is set: give an address that the server may send from",
        );
    }
    let helo = reader.parsed("mail.helo", None, |text| match text {
        "" => Ok(None),
        text => host_name(text).map(Some),
    });
    Mail {
        from,
        helo,
        smtp_url,
    }
}

/// With the lengths and letters of RFC 1123 section 2.1; an international name becomes A-labels.
fn host_name(text: &str) -> Result<String, String> {
    let name = match Host::parse(text) {
        Ok(Host::Domain(name)) => idna::domain_to_ascii_strict(&name).ok(),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => None,
    };
    name.ok_or_else(|| {
        format!("`{text}` is not the name of a host: write one such as `charter.example.com`")
    })
}

/// Requires TLS or enforced STARTTLS, except for this machine. An international host becomes A-labels (UTS #46), which
/// name servers and certificates have.
fn mail_server(text: &str) -> Result<String, String> {
    // The text may contain a password, so it is not shown.
    let wrong = "expected `smtps://USER:PASSWORD@HOST` (TLS) or `smtp://USER:PASSWORD@HOST:587?tls=required` (STARTTLS)";
    let mut url = Url::parse(text).map_err(|_| wrong.to_owned())?;
    let host = url.host_str().ok_or_else(|| wrong.to_owned())?.to_owned();
    let named = Host::parse(&host).map_err(|_| wrong.to_owned())?;
    let is_here = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    match (url.scheme(), url.query()) {
        ("smtps", None) | ("smtp", Some("tls=required")) => {}
        ("smtp", None) if is_here => {}
        ("smtp", _) => return Err(format!("{wrong}: emails leave this machine only encrypted")),
        _ => return Err(wrong.to_owned()),
    }
    match named {
        Host::Domain(name) if !name.eq_ignore_ascii_case(&host) => {
            url.set_host(Some(&name)).map_err(|_| wrong.to_owned())?;
            Ok(url.into())
        }
        _ => Ok(text.to_owned()),
    }
}
