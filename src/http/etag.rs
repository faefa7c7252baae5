//! Entity tags and the conditions on them (RFC 9110 sections 8.8.3 and 13.1).

use std::fmt::Display;

use salvo::Response;
use salvo::http::HeaderMap;
use salvo::http::StatusCode;
use salvo::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use super::error::{ApiError, Code};

/// A strong entity tag: the version of a thing, under the thing's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    /// The tag of this version. The id's text must be visible ASCII without quotes, as typed ids are.
    #[must_use]
    pub fn new(id: impl Display, version: i64) -> Self {
        Self(format!("\"{id}.{version}\""))
    }

    /// Sets the response header.
    pub fn write(&self, response: &mut Response) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            response.headers_mut().insert(ETAG, value);
        }
    }

    /// Refuses a stale `if-match`. Weak tags never match.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED`, or `BAD_PARAMETER` for a malformed header.
    pub fn check_if_match(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        match Condition::read(headers, &IF_MATCH)? {
            None | Some(Condition::Any) => Ok(()),
            Some(Condition::Tags(tags)) => tags
                .iter()
                .any(|tag| !tag.weak && tag.opaque == self.0)
                .then_some(())
                .ok_or_else(ApiError::precondition_failed),
        }
    }

    /// Whether a GET is answered by 304, because the client has this version already.
    ///
    /// # Errors
    ///
    /// `BAD_PARAMETER` for a malformed `if-none-match`.
    pub fn is_known_to(&self, headers: &HeaderMap) -> Result<bool, ApiError> {
        Ok(match Condition::read(headers, &IF_NONE_MATCH)? {
            None => false,
            Some(Condition::Any) => true,
            Some(Condition::Tags(tags)) => tags.iter().any(|tag| tag.opaque == self.0),
        })
    }

    /// Answers 304 with the tag and no body.
    pub fn write_not_modified(&self, response: &mut Response) {
        self.write(response);
        response.status_code(StatusCode::NOT_MODIFIED);
    }
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

/// `[W/]"…"`, separated by commas; empty elements are passed over (RFC 9110 section 5.6.1).
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
        for lines in [&["\"org-1.6\""][..], &["W/\"org-1.7\""], &["\"\""]] {
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
