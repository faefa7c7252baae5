//! Roles, permissions and allowlists of service accounts and keys.

use salvo::oapi::{Array, BasicType, Components, KnownFormat, Object, RefOr, Schema, SchemaFormat};
use serde_json::json;

use charter_domain::access_key::Overlap;
use charter_domain::ip_allowlist::{self, IpAllowlist};
use charter_domain::service_account::{GrantNames, GrantNamesError};

use crate::extract::body_value::{BodyValue, Broken, text};

impl BodyValue for GrantNames {
    type Json = Vec<String>;

    fn parse(names: Self::Json) -> Result<Self, Broken> {
        Self::new(names).map_err(|error| match error {
            GrantNamesError::TooMany => error.into(),
            GrantNamesError::Twice(at) => Broken::at(format!("/{at}"), error),
        })
    }

    fn schema(_: &mut Components) -> RefOr<Schema> {
        Array::new().items(text()).unique_items(true).into()
    }
}

impl BodyValue for IpAllowlist {
    type Json = Vec<String>;

    fn parse(entries: Self::Json) -> Result<Self, Broken> {
        Self::parse(&entries).map_err(|(at, error)| {
            let pointer = at.map_or_else(String::new, |at| format!("/{at}"));
            Broken::at(pointer, error)
        })
    }

    fn schema(_: &mut Components) -> RefOr<Schema> {
        let most = ip_allowlist::MAX_ENTRIES;
        Array::new()
            .items(text())
            .max_items(most)
            .description(format!(
                "Networks in CIDR form or single addresses, at most {most}; all addresses if empty or absent."
            ))
            .examples([json!(["127.0.0.0/8", "::1"])])
            .into()
    }
}

impl BodyValue for Overlap {
    type Json = i64;

    fn parse(seconds: i64) -> Result<Self, Broken> {
        Ok(Self::from_seconds(seconds)?)
    }

    fn schema(_: &mut Components) -> RefOr<Schema> {
        Object::with_type(BasicType::Integer)
            .format(SchemaFormat::KnownFormat(KnownFormat::Int64))
            .minimum(0)
            .maximum(Self::MAX_SECONDS)
            .default_value(Self::DEFAULT_SECONDS.into())
            .examples([3600])
            .into()
    }
}
