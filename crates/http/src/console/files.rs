//! The console's files as they were when this crate was compiled: each as it is, and compressed.

use rust_embed_for_web::{EmbedableFile, EmbeddedFile, RustEmbed};
use salvo::http::header::{ACCEPT_ENCODING, HeaderMap};

use crate::respond::etag::EntityTag;

#[derive(RustEmbed)]
#[folder = "../../console/shared"]
#[prefix = "shared/"]
struct Shared;

#[derive(RustEmbed)]
#[folder = "../../console/portal"]
#[prefix = "portal/"]
struct Portal;

#[derive(RustEmbed)]
#[folder = "../../console/workbench"]
#[prefix = "workbench/"]
struct Workbench;

/// Of the page at `/docs`.
#[derive(RustEmbed)]
#[folder = "../../console/docs"]
#[prefix = "docs/"]
struct Docs;

/// One of the console's two apps. Each has its page, its own files, and those that both share.
#[derive(Debug, Clone, Copy)]
pub(super) enum ConsoleApp {
    Portal,
    Workbench,
}

impl ConsoleApp {
    fn file(self, path: &str) -> Option<EmbeddedFile> {
        match self {
            Self::Portal => Portal::get(path).or_else(|| Docs::get(path)),
            Self::Workbench => Workbench::get(path),
        }
    }

    /// The page that every path of the app answers.
    pub(super) fn page(self, headers: &HeaderMap) -> Option<Representation> {
        let path = match self {
            Self::Portal => "portal/index.html",
            Self::Workbench => "workbench/index.html",
        };
        self.file(path).map(|file| represent(&file, headers))
    }

    /// The file at this path below `console/`.
    pub(super) fn asset(self, path: &str, headers: &HeaderMap) -> Option<Representation> {
        let file = Shared::get(path).or_else(|| self.file(path))?;
        Some(represent(&file, headers))
    }
}

/// What is sent of a file.
pub(super) struct Representation {
    pub(super) bytes: &'static [u8],
    /// `content-encoding`.
    pub(super) coding: Option<&'static str>,
    pub(super) content_type: String,
    /// Another one for each coding (RFC 9110 section 8.8.3.3).
    pub(super) etag: EntityTag,
}

fn represent(file: &EmbeddedFile, headers: &HeaderMap) -> Representation {
    let (bytes, coding, number) = match (file.data_br(), file.data_gzip()) {
        (Some(bytes), _) if accepts(headers, "br") => (bytes, Some("br"), 2),
        (_, Some(bytes)) if accepts(headers, "gzip") => (bytes, Some("gzip"), 1),
        _ => (file.data(), None, 0),
    };
    let content_type = file.mime_type().unwrap_or("application/octet-stream");
    let charset = if content_type.starts_with("text/") {
        "; charset=utf-8"
    } else {
        ""
    };
    Representation {
        bytes,
        coding,
        content_type: format!("{content_type}{charset}"),
        etag: EntityTag::new(file.hash(), number),
    }
}

/// Whether a client names this coding, other than with a weight of zero (RFC 9110 section 12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight.trim().trim_start_matches(['q', 'Q', '=']);
            name.trim().eq_ignore_ascii_case(coding)
                && (weight.is_empty() || weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use salvo::http::HeaderValue;

    fn headers(accepted: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        headers
    }

    #[test]
    fn the_smallest_coding_that_a_client_takes_is_sent() {
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("BR;q=0.1", Some("br")),
            ("gzip;q=1, br;q=0", Some("gzip")),
            ("gzip;q=0.000, br; q=0", None),
            ("br;q=high", None),
            ("identity", None),
            ("", None),
        ] {
            let page = ConsoleApp::Portal
                .page(&headers(accepted))
                .expect("the page");
            assert_eq!(page.coding, coding, "{accepted}");
        }
        let plain = ConsoleApp::Portal
            .page(&HeaderMap::new())
            .expect("the page");
        assert!(plain.bytes.starts_with(b"<!doctype html>"));
        assert_eq!(plain.content_type, "text/html; charset=utf-8");
    }

    #[test]
    fn each_coding_has_a_tag_of_its_own() {
        let page = |coding| ConsoleApp::Portal.page(&headers(coding)).expect("the page");
        let tags = ["br", "gzip", ""].map(|coding| page(coding).etag);
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
    }

    #[test]
    fn only_what_is_there_is_found() {
        let types = [
            ("portal/main.js", "text/javascript; charset=utf-8"),
            ("shared/components.css", "text/css; charset=utf-8"),
            ("shared/icon.svg", "image/svg+xml"),
        ];
        for (path, content_type) in types {
            let found = ConsoleApp::Portal
                .asset(path, &HeaderMap::new())
                .expect(path);
            assert_eq!(found.content_type, content_type, "{path}");
        }
        for path in [
            "",
            "portal",
            "portal/",
            "main.js",
            "../Cargo.toml",
            "portal/../shared/dom.js",
        ] {
            let found = ConsoleApp::Portal.asset(path, &HeaderMap::new());
            assert!(found.is_none(), "{path}");
        }
    }

    #[test]
    fn each_app_has_its_own_files() {
        let own = [
            (ConsoleApp::Portal, "portal/main.js", "workbench/main.js"),
            (ConsoleApp::Workbench, "workbench/main.js", "portal/main.js"),
        ];
        for (app, own, other) in own {
            let is_there = |path| app.asset(path, &HeaderMap::new()).is_some();
            assert!(
                is_there(own) && is_there("shared/dom.js") && !is_there(other),
                "{app:?}"
            );
        }
    }
}
