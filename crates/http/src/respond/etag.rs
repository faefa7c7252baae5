//! Entity tags and conditional requests (RFC 9110 sections 8.8.3 and 13.1). The `headers` crate is not suitable:
//! it ignores malformed tags, which are a 400 here, and compares whole tags instead of versions.

use std::fmt::Display;

use salvo::Response;
use salvo::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use salvo::http::{HeaderMap, Method, StatusCode};

use crate::respond::{ApiError, Code};
use charter_domain::timestamp::Timestamp;

/// A strong entity tag: id and version of a resource, and the time of last use if its representation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    /// `{id}.{version}`, compared for writes.
    version: String,
    /// Changes without a write; compared only for 304.
    use_mark: Option<i64>,
}

impl EntityTag {
    /// The tag of this version. The id must be visible ASCII without quotes and dots, as typed ids are.
    #[must_use]
    pub fn new(id: impl Display, version: i64) -> Self {
        Self {
            version: format!("{id}.{version}"),
            use_mark: None,
        }
    }

    /// For a representation that shows when the resource was last used.
    #[must_use]
    pub fn with_last_use(mut self, at: Option<Timestamp>) -> Self {
        self.use_mark = at.map(|at| at.timestamp());
        self
    }

    /// With its quotes.
    fn opaque(&self) -> String {
        match self.use_mark {
            None => format!("\"{}\"", self.version),
            Some(mark) => format!("\"{}.{mark}\"", self.version),
        }
    }

    /// Whether a tag is of this version, ignoring the time of last use.
    fn is_same_version(&self, opaque: &str) -> bool {
        opaque
            .strip_prefix('"')
            .and_then(|rest| rest.strip_prefix(self.version.as_str()))
            .is_some_and(|rest| rest == "\"" || rest.starts_with('.'))
    }

    pub fn write(&self, response: &mut Response) {
        if let Ok(value) = HeaderValue::from_str(&self.opaque()) {
            response.headers_mut().insert(ETAG, value);
        }
    }

    /// Checks `if-match` (RFC 9110 section 13.1.1). Weak tags never match. Only the version is compared, so that
    /// use of a resource does not fail a write. `PRECONDITION_FAILED`, or `BAD_PARAMETER` for a malformed header.
    pub fn check_if_match(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        check_if_match(Some(self), headers)
    }

    /// Checks `if-match` and `if-none-match` of a write (RFC 9110 section 13.2.2): `PRECONDITION_FAILED`, or
    /// `BAD_PARAMETER` for a malformed header.
    pub fn check_write(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        check_write(Some(self), headers)
    }

    /// Whether a GET gets 304 because the client has this version; `BAD_PARAMETER` for a malformed
    /// `if-none-match`.
    pub fn is_known_to(&self, headers: &HeaderMap) -> Result<bool, ApiError> {
        Ok(match Condition::read(headers, &IF_NONE_MATCH)? {
            None => false,
            Some(Condition::Any) => true,
            Some(Condition::Tags(tags)) => {
                let own = self.opaque();
                tags.iter().any(|tag| tag.opaque == own)
            }
        })
    }

    /// Writes 304 with the tag and no body.
    pub fn write_not_modified(&self, response: &mut Response) {
        self.write(response);
        response.status_code(StatusCode::NOT_MODIFIED);
    }
}

/// Whether a GET of a resource without a tag, which only `*` matches, gets 304: `PRECONDITION_FAILED`, or
/// `BAD_PARAMETER` for a malformed header.
pub fn is_untagged_known_to(headers: &HeaderMap) -> Result<bool, ApiError> {
    check_if_match(None, headers)?;
    let condition = Condition::read(headers, &IF_NONE_MATCH)?;
    Ok(matches!(condition, Some(Condition::Any)))
}

/// Whether the conditions of a request that changes a resource without a tag cannot hold. It is refused only if
/// nothing else refuses it (RFC 9110 section 13.2.1), which the end of its write decides. False for reads, which are
/// checked when they have succeeded. `BAD_PARAMETER` for a malformed header.
pub fn fails_untagged_write(method: &Method, headers: &HeaderMap) -> Result<bool, ApiError> {
    if method.is_safe() {
        return Ok(false);
    }
    match check_write(None, headers) {
        Ok(()) => Ok(false),
        Err(error) if error.code() == Code::PreconditionFailed => Ok(true),
        Err(malformed) => Err(malformed),
    }
}

fn check_if_match(current: Option<&EntityTag>, headers: &HeaderMap) -> Result<(), ApiError> {
    let holds = match Condition::read(headers, &IF_MATCH)? {
        None | Some(Condition::Any) => true,
        Some(Condition::Tags(tags)) => current.is_some_and(|current| {
            tags.iter()
                .any(|tag| !tag.weak && current.is_same_version(&tag.opaque))
        }),
    };
    holds
        .then_some(())
        .ok_or_else(ApiError::precondition_failed)
}

fn check_write(current: Option<&EntityTag>, headers: &HeaderMap) -> Result<(), ApiError> {
    check_if_match(current, headers)?;
    let matches = match Condition::read(headers, &IF_NONE_MATCH)? {
        None => false,
        Some(Condition::Any) => true,
        Some(Condition::Tags(tags)) => current
            .is_some_and(|current| tags.iter().any(|tag| current.is_same_version(&tag.opaque))),
    };
    if matches {
        return Err(ApiError::precondition_failed());
    }
    Ok(())
}

enum Condition {
    Any,
    Tags(Vec<Tag>),
}

struct Tag {
    weak: bool,
    /// With its quotes.
    opaque: String,
}

impl Condition {
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, ApiError> {
        let malformed = || {
            ApiError::invalid(
                Code::BadParameter,
                format!("`{name}` must be `*` or a list of quoted entity tags"),
            )
        };
        if !headers.contains_key(name) {
            return Ok(None);
        }
        let mut tags = Vec::new();
        let mut lines = 0_usize;
        let mut any = false;
        for line in headers.get_all(name) {
            lines += 1;
            let text = line.to_str().map_err(|_| malformed())?;
            if text.trim() == "*" {
                any = true;
            } else {
                read_tags(text, &mut tags).ok_or_else(malformed)?;
            }
        }
        match (any, lines, tags.is_empty()) {
            (true, 1, _) => Ok(Some(Self::Any)),
            (false, _, false) => Ok(Some(Self::Tags(tags))),
            _ => Err(malformed()),
        }
    }
}

/// `[W/]"…"`, separated by commas; empty elements are ignored (RFC 9110 section 5.6.1).
fn read_tags(text: &str, tags: &mut Vec<Tag>) -> Option<()> {
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (inner, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if !inner
            .bytes()
            .all(|byte| byte == 0x21 || (0x23..=0x7E).contains(&byte))
        {
            return None;
        }
        tags.push(Tag {
            weak,
            opaque: format!("\"{inner}\""),
        });
        let after = after.trim_start_matches([' ', '\t']);
        if !(after.is_empty() || after.starts_with(',')) {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).expect("a value"));
        }
        headers
    }

    #[test]
    fn if_match_takes_strong_tags_only() {
        let tag = EntityTag::new("org-1", 7);
        for lines in [
            &[][..],
            &["*"],
            &["\"org-1.7\""],
            &["\"a,b\", \"org-1.7\""],
            &[", ,\"org-1.7\" ,"],
            &["\"x\"", "\"org-1.7\""],
        ] {
            assert_eq!(
                tag.check_if_match(&headers(&IF_MATCH, lines)),
                Ok(()),
                "{lines:?}"
            );
        }
        for lines in [
            &["\"org-1.6\""][..],
            &["\"org-1.70\"", "\"org-1.7x\"", "\"org-1\""],
            &["W/\"org-1.7\""],
            &["\"\""],
        ] {
            let error = tag
                .check_if_match(&headers(&IF_MATCH, lines))
                .expect_err("stale");
            assert_eq!(error.code(), Code::PreconditionFailed, "{lines:?}");
        }
    }

    #[test]
    fn a_malformed_condition_is_a_bad_parameter() {
        let tag = EntityTag::new("org-1", 7);
        for lines in [
            &["org-1.7"][..],
            &[""],
            &[","],
            &["\"org-1.7"],
            &["w/\"org-1.7\""],
            &["\"a\" \"org-1.7\""],
            &["*, \"org-1.7\""],
            &["*", "*"],
            &["*", "\"org-1.7\""],
            &["\"a b\""],
        ] {
            let error = tag
                .check_if_match(&headers(&IF_MATCH, lines))
                .expect_err("malformed");
            assert_eq!(error.code(), Code::BadParameter, "{lines:?}");
        }
    }

    #[test]
    fn a_write_is_refused_where_if_none_match_matches() {
        let tag = EntityTag::new("org-1", 7);
        for (line, refused) in [
            ("*", true),
            ("\"org-1.7\"", true),
            ("W/\"org-1.7\"", true),
            ("\"org-1.7.60\"", true),
            ("\"org-1.6\"", false),
        ] {
            let headers = headers(&IF_NONE_MATCH, &[line]);
            assert_eq!(tag.check_write(&headers).is_err(), refused, "{line}");
            let fails = |method| fails_untagged_write(method, &headers);
            assert_eq!(fails(&Method::POST), Ok(line == "*"), "{line}");
            assert_eq!(fails(&Method::GET), Ok(false));
            assert_eq!(is_untagged_known_to(&headers), Ok(line == "*"));
        }
        let stale = headers(&IF_MATCH, &["\"org-1.6\""]);
        assert!(is_untagged_known_to(&stale).is_err());
        assert_eq!(fails_untagged_write(&Method::POST, &stale), Ok(true));
        let any = headers(&IF_MATCH, &["*"]);
        assert_eq!(fails_untagged_write(&Method::POST, &any), Ok(false));
        let malformed = headers(&IF_MATCH, &["x"]);
        assert!(fails_untagged_write(&Method::POST, &malformed).is_err());
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let tag = EntityTag::new("org-1", 7);
        let known = |line| {
            tag.is_known_to(&headers(&IF_NONE_MATCH, &[line]))
                .expect("well-formed")
        };
        assert!(known("*") && known("W/\"org-1.7\"") && known("\"org-1.7\""));
        assert!(!known("\"org-1.8\""));
        assert_eq!(tag.is_known_to(&HeaderMap::new()), Ok(false));
    }
}
