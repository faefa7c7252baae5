//! `routes.toml`: which action on which resource a request to a service is.
//!
//! ```toml
//! [routes]
//! "GET /invoices/{id}" = { action = "billing:ReadInvoice", resource = 'Invoice::"{id}"' }
//! ```

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use cedar_policy::EntityUid;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use toml::Spanned;

use super::actions::Actions;
use super::entity_types::EntityTypes;
use crate::fault::FolderFault;
use crate::source::Source;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutesFile {
    routes: BTreeMap<Spanned<String>, RouteEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    action: Spanned<String>,
    resource: Spanned<String>,
}

/// The routes of a domain; no two match one request.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// By method and number of segments.
    by_shape: HashMap<(String, usize), Vec<Route>>,
}

#[derive(Debug)]
struct Route {
    path: Vec<Segment>,
    action: String,
    of: String,
    id: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
}

/// A piece of a resource's id.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The number of the segment that fills it.
    Segment(usize),
}

/// What a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    pub action: String,
    /// The resource's type.
    pub of: String,
    pub id: String,
}

impl Routes {
    pub(super) fn find(&self, method: &str, path: &str) -> Option<Routed> {
        let segments: Vec<&str> = segments(path)?.collect();
        let shape = (method.to_owned(), segments.len());
        let mut routes = self.by_shape.get(&shape)?.iter();
        let route = routes.find(|route| {
            route
                .path
                .iter()
                .zip(&segments)
                .all(|(wanted, sent)| match wanted {
                    Segment::Literal(text) => text == sent,
                    Segment::Parameter(_) => true,
                })
        })?;
        let mut id = String::new();
        for piece in &route.id {
            match piece {
                Piece::Text(text) => id.push_str(text),
                Piece::Segment(at) => {
                    let sent = percent_decode_str(segments.get(*at)?);
                    id.push_str(&sent.decode_utf8().ok()?);
                }
            }
        }
        Some(Routed {
            action: route.action.clone(),
            of: route.of.clone(),
            id,
        })
    }

    /// # Errors
    ///
    /// Everything that is wrong, each with its place.
    pub(super) fn read(
        source: &Source,
        actions: &Actions,
        types: &EntityTypes,
    ) -> Result<Self, Vec<FolderFault>> {
        let file: RoutesFile = toml::from_str(source.inner()).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            vec![FolderFault::new(error.message().to_owned()).at(source, span.start, span.len())]
        })?;
        let mut faults = Vec::new();
        let mut routes = Self::default();
        // In the order of the file.
        let mut entries: Vec<_> = file.routes.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, entry) in entries {
            let span = key.span();
            let mut fault = |message: String, span: std::ops::Range<usize>| {
                let fault = FolderFault::new(message).at(source, span.start, span.len());
                faults.push(fault);
            };
            let (method, path) = match pattern(key.get_ref()) {
                Ok(pattern) => pattern,
                Err(message) => {
                    fault(message, span);
                    continue;
                }
            };
            let (of, id) = match resource(entry.resource.get_ref(), &path, types) {
                Ok(resource) => resource,
                Err(message) => {
                    fault(message, entry.resource.span());
                    continue;
                }
            };
            let action = entry.action.get_ref();
            if actions.get(action).is_none() {
                fault(
                    format!("there is no action `{action}`"),
                    entry.action.span(),
                );
                continue;
            }
            let route = Route {
                path,
                action: action.clone(),
                of,
                id,
            };
            let shape = (method, route.path.len());
            let others = routes.by_shape.entry(shape).or_default();
            if others.iter().any(|other| other.overlaps(&route)) {
                fault(
                    format!(
                        "`{}` matches requests that another route matches, too",
                        key.get_ref()
                    ),
                    span,
                );
                continue;
            }
            others.push(route);
        }
        if faults.is_empty() {
            Ok(routes)
        } else {
            Err(faults)
        }
    }
}

impl Route {
    fn overlaps(&self, other: &Self) -> bool {
        let mut pairs = self.path.iter().zip(&other.path);
        pairs.all(|pair| match pair {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            _ => true,
        })
    }
}

fn segments(path: &str) -> Option<impl Iterator<Item = &str>> {
    let inner = path.strip_prefix('/')?;
    Some(inner.split('/').filter(move |_| !inner.is_empty()))
}

/// A method and a path such as `GET /invoices/{id}`.
fn pattern(text: &str) -> Result<(String, Vec<Segment>), String> {
    let (method, path) = text.split_once(' ').ok_or_else(|| {
        format!("`{text}` is not a method and a path, such as `GET /invoices/{{id}}`")
    })?;
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("`{method}` is not a method in capitals"));
    }
    let segments = segments(path).ok_or_else(|| format!("`{path}` does not begin with `/`"))?;
    let mut read = Vec::new();
    for segment in segments {
        let parameter = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_literal =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@".contains(&byte);
        match parameter {
            Some(name) if !name.is_empty() && name.bytes().all(is_name) => {
                let parameter = Segment::Parameter(name.to_owned());
                if read.contains(&parameter) {
                    return Err(format!("`{{{name}}}` is there twice"));
                }
                read.push(parameter);
            }
            None if !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment.bytes().all(is_literal) =>
            {
                read.push(Segment::Literal(segment.to_owned()));
            }
            _ => {
                return Err(format!(
                    "`{segment}` is no segment of a path: write a literal or `{{name}}`, and no `/` at the end"
                ));
            }
        }
    }
    Ok((method.to_owned(), read))
}

/// A type and the pieces of an id.
fn resource(
    text: &str,
    path: &[Segment],
    types: &EntityTypes,
) -> Result<(String, Vec<Piece>), String> {
    let uid = EntityUid::from_str(text)
        .map_err(|_| format!("`{text}` is not a resource such as `Invoice::\"{{id}}\"`"))?;
    let of = uid.type_name().to_string();
    if types.get(&of).is_none() {
        return Err(format!("the schema has no entity type `{of}`"));
    }
    let mut pieces = Vec::new();
    let mut rest = uid.id().unescaped();
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| format!("`{text}` has a `{{` without its `}}`"))?;
        let wanted = Segment::Parameter(name.to_owned());
        let at = path.iter().position(|segment| *segment == wanted);
        let at = at.ok_or_else(|| format!("the path has no `{{{name}}}`"))?;
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Segment(at));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok((of, pieces))
}
