//! Addresses of web servers in the settings.

use url::Url;

/// The example is one of the setting's.
pub(super) fn web_address(text: &str, example: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty())
        .filter(|url| url.has_host() && url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| {
            // The part before an `@` may be a password.
            let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
            format!("`{shown}` is not a web address: write one such as `{example}`")
        })
}
