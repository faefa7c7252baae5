//! Parses PostgreSQL URLs strictly: parameters that the driver would ignore are refused, since they may be meant
//! to secure the connection.

use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::Error;

/// Query parameters that the driver reads.
const KNOWN: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
const CERTIFICATES: [&str; 7] = [
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
];

/// No error repeats the text, which may contain a password.
pub(super) fn options(text: &str) -> Result<PgConnectOptions, Error> {
    let malformed =
        |error: &dyn std::fmt::Display| setup(format!("the database url is malformed: {error}"));
    let url = Url::parse(text).map_err(|error| malformed(&error))?;
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into()).collect();
    for (number, name) in names.iter().enumerate() {
        if !KNOWN.contains(&name.as_str()) && !name.starts_with("options[") {
            return Err(setup(format!(
                "the database url has an unknown parameter `{name}`; TLS is asked for by `sslmode`"
            )));
        }
        if names.iter().take(number).any(|before| before == name) {
            return Err(setup(format!("the database url has `{name}` twice")));
        }
    }
    let mut options: PgConnectOptions = text
        .parse()
        .map_err(|error: sea_orm::sqlx::Error| malformed(&error))?;
    let has_certificate = names
        .iter()
        .any(|name| CERTIFICATES.contains(&name.as_str()));
    let may_be_plain = matches!(
        options.get_ssl_mode(),
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer
    );
    if has_certificate && may_be_plain {
        return Err(setup(
            "the database url names certificates but not that they must be used: \
             add `sslmode=verify-full`, or `verify-ca` or `require`"
                .to_owned(),
        ));
    }
    // A URL has an IPv6 address in brackets, which do not belong to the host.
    let host = options.get_host();
    if let Some(bare) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        let bare = bare.to_owned();
        options = options.host(&bare);
    }
    if may_be_plain && options.get_socket().is_none() && !is_local(options.get_host()) {
        tracing::warn!(
            "the connection to the database need not be encrypted, see `sslmode` of the database url"
        );
    }
    Ok(options)
}

fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.starts_with('/')
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

const fn setup(text: String) -> Error {
    Error::Setup(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_stands_without_its_brackets() {
        for (url, host) in [
            ("postgres://charter@[::1]:5432/x", "::1"),
            ("postgresql://[2001:db8::7]/x", "2001:db8::7"),
            ("postgres://127.0.0.1/x", "127.0.0.1"),
            ("postgres://db.example/x?sslmode=require", "db.example"),
        ] {
            assert_eq!(options(url).expect(url).get_host(), host, "{url}");
        }
    }

    #[test]
    fn parameters_that_would_be_ignored_are_refused_without_repeating_the_url() {
        for query in [
            "sslMode=require",
            "SSLMODE=verify-full",
            "tls=true",
            "connect_timeout=3",
            "sslmode=Require-it",
            "sslmode=require&sslmode=disable",
            "sslrootcert=/ca.pem",
            "sslrootcert=/ca.pem&sslmode=prefer",
            "sslcert=/a.pem&sslkey=/a.key&sslmode=disable",
        ] {
            let url = format!("postgres://charter:hunter2@db.example/x?{query}");
            let refused = options(&url).expect_err(query).to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
