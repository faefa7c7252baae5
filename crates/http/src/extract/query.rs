//! Parses query strings strictly: what parsers interpret differently is `BAD_PARAMETER` (contract section 2).

use std::fmt::Display;

use percent_encoding::percent_decode_str;
use salvo::oapi::{Operation, Parameter, ParameterIn, Required, Schema};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, Writer, async_trait};

use crate::respond::{ApiError, Code, echo};
use charter_domain::page::{MAX_QUANTITY, PageRequest};

/// Far beyond any list, and within the integers of both databases.
pub(super) const MAX_PAGE: u64 = 1 << 52;

const DEFAULT_QUANTITY: u64 = 20;

/// The parameters of a query. Each reading method removes its parameter; remaining ones are unknown.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses the query without its `?`. `+` is a space. `BAD_PARAMETER` for an invalid escape, invalid UTF-8, a
    /// missing `=`, an empty piece, or a duplicate parameter.
    pub fn parse(raw: Option<&str>) -> Result<Self, ApiError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for piece in raw.into_iter().flat_map(|raw| raw.split('&')) {
            let (name, value) = piece
                .split_once('=')
                .ok_or_else(|| bad(format!("{} must have the form `name=value`", echo(piece))))?;
            let (name, value) = (decode(name)?, decode(value)?);
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(bad(format!("{} is repeated", echo(&name))));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// A value with its own parser; `BAD_PARAMETER` with its error.
    pub fn parsed<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ApiError> {
        self.text(name)
            .map(|text| parse(&text).map_err(|error| bad(format!("`{name}` {error}"))))
            .transpose()
    }

    /// An integer from 1 to `max`, else `BAD_PARAMETER`.
    pub fn integer(&mut self, name: &str, max: u64) -> Result<Option<u64>, ApiError> {
        self.parsed(name, |text| integer(text, max))
    }

    /// `true` or `false`, else `BAD_PARAMETER`; false if absent.
    pub fn boolean(&mut self, name: &str) -> Result<bool, ApiError> {
        self.parsed(name, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be `true` or `false`"),
        })
        .map(Option::unwrap_or_default)
    }

    /// `page`, `quantity` and `order_by` of a list. `orders` names the columns; without `order_by` it is
    /// `default`, descending. `BAD_PARAMETER` for values out of range.
    pub fn page<Order: Copy>(
        &mut self,
        orders: &[(&str, Order)],
        default: Order,
    ) -> Result<PageRequest<Order>, ApiError> {
        let page = self.integer("page", MAX_PAGE)?;
        let quantity = self.integer("quantity", MAX_QUANTITY)?;
        let order = self.parsed("order_by", |text| {
            let (column, descending) = match text.strip_prefix('-') {
                Some(column) => (column, true),
                None => (text, false),
            };
            orders
                .iter()
                .find(|(name, _)| *name == column)
                .map(|&(_, order)| (order, descending))
                .ok_or_else(|| {
                    let names: Vec<_> =
                        orders.iter().map(|(name, _)| format!("`{name}`")).collect();
                    format!(
                        "must be one of {}, with `-` in front for descending",
                        names.join(", ")
                    )
                })
        })?;
        let (order, descending) = order.unwrap_or((default, true));
        Ok(PageRequest {
            page: page.unwrap_or(1),
            quantity: quantity.unwrap_or(DEFAULT_QUANTITY),
            order,
            descending,
        })
    }

    /// Fails with `BAD_PARAMETER` if a parameter is unknown.
    pub fn finish(self) -> Result<(), ApiError> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(bad(format!("{} is not known here", echo(name)))),
        }
    }
}

/// A hoop for pages without parameters.
pub struct NoParameters;

impl NoParameters {
    /// Refuses all parameters with `BAD_PARAMETER`.
    pub fn check(request: &Request) -> Result<(), ApiError> {
        Query::parse(request.uri().query())?.finish()
    }
}

#[async_trait]
impl Handler for NoParameters {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        control: &mut FlowCtrl,
    ) {
        match Self::check(request) {
            Ok(()) => {
                control.call_next(request, depot, response).await;
            }
            Err(error) => {
                control.skip_rest();
                error.write(request, depot, response).await;
            }
        }
    }
}

fn integer(text: &str, max: u64) -> Result<u64, String> {
    let rule = || format!("must be an integer from 1 to {max}");
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(rule());
    }
    text.parse()
        .ok()
        .filter(|number| (1..=max).contains(number))
        .ok_or_else(rule)
}

fn decode(text: &str) -> Result<String, ApiError> {
    let mut escapes = text.split('%');
    escapes.next();
    let well_formed = escapes.all(|after| {
        after
            .as_bytes()
            .get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !well_formed {
        return Err(bad(format!("{} has a bad escape", echo(text))));
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| bad(format!("{} is not UTF-8", echo(text))))
}

fn bad(message: String) -> ApiError {
    ApiError::invalid(Code::BadParameter, message)
}

pub fn describe_query(
    operation: &mut Operation,
    name: &str,
    description: &str,
    schema: impl Into<Schema>,
) {
    let parameter = Parameter::new(name)
        .location(ParameterIn::Query)
        .required(Required::False)
        .description(description)
        .schema(schema.into());
    operation.parameters.insert(parameter);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &[(&str, u8)] = &[("created_at", 1), ("name", 2)];

    fn page(raw: &str) -> Result<PageRequest<u8>, ApiError> {
        let mut query = Query::parse(Some(raw))?;
        let page = query.page(ORDERS, 1)?;
        query.boolean("include_inactive")?;
        query.finish()?;
        Ok(page)
    }

    #[test]
    fn ambiguous_queries_are_refused() {
        for bad in [
            "",
            "a",
            "&",
            "page=1&",
            "&page=1",
            "page=1&&quantity=2",
            "page=1&page=1",
            "page",
            "page=%",
            "page=%1",
            "page=%zz",
            "page=%FF",
            "page=%C0%AF",
            "p%61ge=1&page=1",
            "x=1",
            "page=0",
            "page=-1",
            "page=%2B1",
            "page=+1",
            "page=1.0",
            "page=",
            "page=1e3",
            "page=99999999999999999999",
            "quantity=0",
            "quantity=101",
            "order_by=",
            "order_by=id",
            "order_by=--name",
            "order_by=Name",
            "include_inactive=1",
            "include_inactive=True",
            "include_inactive=",
            "=1",
            "page=１",
        ] {
            let error = page(bad).expect_err(bad);
            assert_eq!(error.code(), Code::BadParameter, "`{bad}`");
        }
    }

    #[test]
    fn defaults_are_the_contracts() {
        let mut query = Query::parse(None).expect("no query");
        let page = query.page(ORDERS, 1).expect("defaults");
        assert_eq!(
            (page.page, page.quantity, page.order, page.descending),
            (1, 20, 1, true)
        );
        assert_eq!(query.boolean("include_inactive"), Ok(false));
        assert_eq!(query.finish(), Ok(()));
    }

    #[test]
    fn values_are_decoded_once() {
        let mut query = Query::parse(Some("a=%2541+b%20c&%62=")).expect("well-formed");
        assert_eq!(query.text("a").as_deref(), Some("%41 b c"));
        assert_eq!(query.text("b").as_deref(), Some(""));
        let read = page("page=3&quantity=100&order_by=-name&include_inactive=true").expect("good");
        assert_eq!(
            (read.page, read.quantity, read.order, read.descending),
            (3, 100, 2, true)
        );
        assert!(!page("order_by=name").expect("good").descending);
    }
}
