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
use super::json_form::JsonForm;
use super::store_records::CALLERS;
use crate::entity_ids;
use crate::fault::FolderFault;
use crate::source::Source;

/// What gateways fill of a context, as text, and whether it is an IP address, too.
const FACTS: [(&str, bool); 3] = [("method", false), ("path", false), ("source_ip", true)];

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
            let mut fault = |fault: FolderFault, span: std::ops::Range<usize>| {
                faults.push(fault.at(source, span.start, span.len()));
            };
            let (method, path) = match pattern(key.get_ref()) {
                Ok(pattern) => pattern,
                Err(message) => {
                    fault(FolderFault::new(message), span);
                    continue;
                }
            };
            let (of, id) = match resource(entry.resource.get_ref(), &path, types) {
                Ok(resource) => resource,
                Err(wrong) => {
                    fault(wrong, entry.resource.span());
                    continue;
                }
            };
            let action = entry.action.get_ref();
            if let Err(wrong) = asked_by_gateways(action, &of, actions) {
                fault(wrong, entry.action.span());
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
                let key = key.get_ref();
                let message = format!("`{key}` matches requests that another route matches, too");
                fault(FolderFault::new(message), span);
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

/// Checks that gateways can ask about this action on this type.
fn asked_by_gateways(name: &str, of: &str, actions: &Actions) -> Result<(), FolderFault> {
    let action = actions
        .get(name)
        .ok_or_else(|| FolderFault::new(format!("there is no action `{name}`")))?;
    if !action.is_about(of) {
        let message = format!("`{name}` is not asked about a `{of}`");
        let help = "name another resource, or add the type to the action's `appliesTo`";
        return Err(FolderFault::new(message).help(help));
    }
    if !CALLERS.iter().any(|caller| action.applies_to(caller, of)) {
        let message = format!("`{name}` is asked by nobody whom gateways know");
        let help = format!(
            "add `{}` to the action's `appliesTo`",
            CALLERS.join("` or `")
        );
        return Err(FolderFault::new(message).help(help));
    }
    for (fact, is_ip) in FACTS {
        let fits = action.context.form(fact).is_none_or(|form| match form {
            JsonForm::Text => true,
            JsonForm::Extension(of) => is_ip && of == "ipaddr",
            _ => false,
        });
        if !fits {
            let or_ip = if is_ip { " or `ipaddr`" } else { "" };
            let message =
                format!("gateways fill `{fact}` in the context of `{name}` with another type");
            let help = format!("declare it as `String`{or_ip}");
            return Err(FolderFault::new(message).help(help));
        }
    }
    let mut required = action.context.required();
    match required.find(|name| !FACTS.iter().any(|(fact, _)| fact == name)) {
        None => Ok(()),
        Some(missing) => {
            let message =
                format!("`{name}` requires `{missing}` in its context, which gateways cannot fill");
            let help = format!("declare it as optional, `\"{missing}\"?`, or leave the route out");
            Err(FolderFault::new(message).help(help))
        }
    }
}

/// A method and a path such as `GET /invoices/{id}`.
fn pattern(text: &str) -> Result<(String, Vec<Segment>), String> {
    let (method, path) = text.split_once(' ').ok_or_else(|| {
        format!("`{text}` is not a method and a path, such as `GET /invoices/{{id}}`")
    })?;
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("`{method}` is not a method in capitals"));
    }
    if method == "HEAD" {
        return Err(format!(
            "a HEAD is decided as the GET of its path: write `GET {path}`"
        ));
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
) -> Result<(String, Vec<Piece>), FolderFault> {
    let uid = EntityUid::from_str(text).map_err(|_| {
        FolderFault::new(format!(
            "`{text}` is not a resource such as `Invoice::\"{{id}}\"`"
        ))
    })?;
    let of = uid.type_name().to_string();
    let Some(declared) = types.get(&of) else {
        let message = format!("the schema has no entity type `{of}`");
        return Err(FolderFault::new(message));
    };
    let pieces = pieces(text, uid.id().unescaped(), path).map_err(FolderFault::new)?;
    if let [Piece::Text(id)] = pieces.as_slice() {
        if declared.ids.as_ref().is_some_and(|ids| !ids.contains(id)) {
            return Err(FolderFault::new(format!("the schema has no `{text}`")));
        }
        if let Some(fault) = entity_ids::fault_in_domain(&uid) {
            return Err(fault);
        }
    }
    Ok((of, pieces))
}

/// The pieces of an id.
fn pieces(text: &str, id: &str, path: &[Segment]) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = id;
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
    Ok(pieces)
}
