//! Ids in the format of the machine surface.

use std::marker::PhantomData;

use salvo::oapi::{BasicType, Components, Object, RefOr, Schema, ToSchema};

use charter_domain::id::{AccountId, TypedId};

use crate::extract::body_value::{BodyValue, Broken, Lenient};

impl BodyValue for Lenient<AccountId> {
    type Json = String;

    fn parse(text: String) -> Result<Self, Broken> {
        Ok(Self(text.parse().ok()))
    }

    fn schema(_: &mut Components) -> RefOr<Schema> {
        id_schema::<AccountId>().into()
    }
}

#[must_use]
pub fn id_schema<Id: TypedId>() -> Object {
    Object::with_type(BasicType::String).pattern(Id::PATTERN)
}

/// An id in a response body.
pub struct IdSchema<Id>(PhantomData<Id>);

impl<Id: TypedId> ToSchema for IdSchema<Id> {
    fn to_schema(_: &mut Components) -> RefOr<Schema> {
        let example = format!("{}01k6dyspfte23tskdzn1kqd65k", Id::PREFIX);
        id_schema::<Id>().examples([example]).into()
    }
}
