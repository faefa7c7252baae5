//! Restricts symbolic requests to those that the service can make, so that no proof has to cover
//! and no counterexample can use any other.
//!
//! The service fills the context itself: an address is a single one, a time has a literal form, and
//! each type of principal has one way to authenticate.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use cedar_policy_symcc::SymEnv;
use cedar_policy_symcc::ext::Ext;
use cedar_policy_symcc::term::Term;
use cedar_policy_symcc::term_factory::{
    and, bvsle, ext_datetime_val, ext_ipaddr_is_v4, ext_ipaddr_prefix_v4, ext_ipaddr_prefix_v6,
    is_none, ite, record_get,
};
use cedar_policy_symcc::term_type::TermType;

use charter_authz::catalogue;
use charter_domain::timestamp;

/// Replaces impossible addresses.
const SOME_ADDRESS: &str = "192.0.2.1";
/// Replaces impossible times.
const SOME_TIME: &str = "2026-01-01";

/// The symbolic request with a context as the service fills it.
///
/// # Errors
///
/// The context does not have the service's shape.
pub(super) fn constrain_context(
    mut symbols: SymEnv,
    principal: &EntityTypeName,
) -> Result<SymEnv, String> {
    let context = symbols.request.context.clone();
    let TermType::Record { rty } = context.type_of() else {
        return Err("the context is not a record".to_owned());
    };
    let mut fields = BTreeMap::new();
    for name in rty.keys() {
        let value = record_get(context.clone(), name);
        let value = match name.as_str() {
            "source_ip" => single_address(&value)?,
            "now" => written_time(&value)?,
            "authentication" => method(&value, principal)?,
            _ => value,
        };
        fields.insert(name.clone(), value);
    }
    symbols.request.context = Term::Record(Arc::new(fields));
    Ok(symbols)
}

/// Excludes ranges.
fn single_address(value: &Term) -> Result<Term, String> {
    let is_single = ite(
        ext_ipaddr_is_v4(value.clone()),
        is_none(ext_ipaddr_prefix_v4(value.clone())),
        is_none(ext_ipaddr_prefix_v6(value.clone())),
    );
    let other = Ext::parse_ip(SOME_ADDRESS).map_err(|error| error.to_string())?;
    Ok(ite(is_single, value.clone(), other.into()))
}

/// From 1970 to the last second of the year 9999.
fn written_time(value: &Term) -> Result<Term, String> {
    let milliseconds = ext_datetime_val(value.clone());
    let is_written = and(
        bvsle(0.into(), milliseconds.clone()),
        bvsle(milliseconds, timestamp::latest().timestamp_millis().into()),
    );
    let other = Ext::parse_datetime(SOME_TIME).map_err(|error| error.to_string())?;
    Ok(ite(is_written, value.clone(), other.into()))
}

fn method(value: &Term, principal: &EntityTypeName) -> Result<Term, String> {
    let TermType::Entity { ety } = value.type_of() else {
        return Err("`context.authentication` is not an entity".to_owned());
    };
    let name = catalogue::method_of(principal.basename())
        .ok_or_else(|| format!("no {principal} authenticates"))?;
    Ok(EntityUid::from_type_name_and_id(ety, EntityId::new(name)).into())
}
