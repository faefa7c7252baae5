use std::convert::Infallible;

use salvo::oapi::{KnownFormat, Object, SchemaFormat};
use secrecy::{ExposeSecret, SecretString};

use charter_domain::email::EmailAddress;
use charter_domain::invitation::InvitedRole;
use charter_domain::password::{EnteredPassword, NewPassword};
use charter_domain::region::Region;
use charter_domain::slug::Slug;
use charter_domain::text::{Description, Name};
use charter_domain::timestamp::{self, Timestamp};

use crate::extract::body_value::{Lenient, text_values};
use crate::respond::echo;

/// A name in a portal body, whose published document has no pattern.
#[derive(Debug, Clone)]
pub struct PortalName(pub Name);

/// The token of an emailed link. Any text may be wrong, so none is refused here.
#[derive(Debug, Clone)]
pub struct LinkToken(SecretString);

impl LinkToken {
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A key's text or secret for comparison. Any text may be wrong, so none is refused here.
#[derive(Debug, Clone)]
pub struct ShownKey(SecretString);

impl ShownKey {
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub const fn secret(&self) -> &SecretString {
        &self.0
    }
}

text_values! {
    Name {
        parse: |text| Name::parse(text),
        schema: |text| limits_of_name(text).pattern(Name::PATTERN),
    }
    PortalName {
        parse: |text| Name::parse(text).map(PortalName),
        schema: |text| limits_of_name(text),
    }
    Description {
        parse: |text| Description::parse(text),
        schema: |text| {
            text.max_length(Description::MAX_CHARACTERS)
                .pattern(Description::PATTERN)
                .description("At most 1,000 characters.")
                .examples(["Reads the organization every night"])
        },
    }
    Slug {
        parse: |text| text.parse::<Slug>(),
        schema: |text| {
            text.min_length(Slug::MIN_CHARACTERS)
                .max_length(Slug::MAX_CHARACTERS)
                .pattern(Slug::PATTERN)
                .examples(["acme"])
        },
    }
    Region {
        parse: |text| region(text),
        schema: |text| text,
    }
    Timestamp {
        // In whole seconds, as answers show it.
        parse: |text| timestamp::parse(text).map(timestamp::to_seconds),
        schema: |text| {
            text.format(SchemaFormat::KnownFormat(KnownFormat::DateTime))
                .pattern(timestamp::PATTERN)
                .examples(["2030-01-01T00:00:00Z"])
        },
    }
    EmailAddress {
        parse: |text| EmailAddress::parse(text),
        schema: |text| {
            text.format(SchemaFormat::Custom("email".to_owned()))
                .examples(["ada@example.com"])
        },
    }
    Lenient<EmailAddress> {
        parse: |text| Ok::<_, Infallible>(Lenient(EmailAddress::parse(text).ok())),
        schema: |text| text.examples(["ada@example.com"]),
    }
    NewPassword {
        parse: |text| NewPassword::parse(text),
        schema: |text| {
            text.min_length(NewPassword::MIN_CHARACTERS)
                .max_length(NewPassword::MAX_CHARACTERS)
                .examples(["correct horse battery staple"])
        },
    }
    EnteredPassword {
        parse: |text| Ok::<_, Infallible>(EnteredPassword::new(text)),
        schema: |text| text.examples(["correct horse battery staple"]),
    }
    LinkToken {
        parse: |text| Ok::<_, Infallible>(LinkToken(text.into())),
        schema: |text| text.examples(["mS1wX0gq0bqVt9m3wqf9YwQm1l1nq2c4o5p6r7s8t9A"]),
    }
    ShownKey {
        parse: |text| Ok::<_, Infallible>(ShownKey(text.into())),
        schema: |text| {
            text.examples(["charter_sk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA059GZ6"])
        },
    }
    InvitedRole {
        parse: |text| InvitedRole::parse(text),
        schema: |text| text,
    }
}

const _: () = assert!(
    Description::MAX_CHARACTERS == 1_000,
    "the description above says 1,000"
);

fn limits_of_name(text: Object) -> Object {
    let (characters, bytes) = (Name::MAX_CHARACTERS, Name::MAX_BYTES);
    text.min_length(1)
        .max_length(characters)
        .description(format!(
            "1 to {characters} characters, at most {bytes} bytes."
        ))
}

fn region(text: &str) -> Result<Region, String> {
    Region::parse(text).ok_or_else(|| {
        let known = Region::ALL.map(|region| format!("`{region}`")).join(", ");
        format!("there is no region {}; there are {known}", echo(text))
    })
}
