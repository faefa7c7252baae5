//! The values of the portal's bodies, parsed into domain values.

use secrecy::SecretString;

use crate::extract::fields::Broken;
use crate::respond::echo;
use charter_domain::email::{EmailAddress, EmailError};
use charter_domain::password::{self, PasswordError};
use charter_domain::region::Region;
use charter_domain::slug::{Slug, SlugError};
use charter_domain::text::{Name, TextError};
use charter_domain::user::OWNER;

pub(super) fn name(text: String) -> Result<Name, TextError> {
    Name::parse(&text)
}

pub(super) fn slug(text: String) -> Result<Slug, SlugError> {
    text.parse()
}

pub(super) fn email(text: String) -> Result<EmailAddress, EmailError> {
    EmailAddress::parse(&text)
}

/// Any text: what is no address is nobody's, and is answered so.
pub(super) fn maybe_email(text: String) -> Result<Option<EmailAddress>, Broken> {
    Ok(EmailAddress::parse(&text).ok())
}

pub(super) fn new_password(text: String) -> Result<SecretString, PasswordError> {
    password::parse_new(text)
}

pub(super) fn entered_password(text: String) -> Result<SecretString, Broken> {
    Ok(password::entered(&text))
}

pub(super) fn token(text: String) -> Result<SecretString, Broken> {
    Ok(SecretString::from(text))
}

pub(super) fn any_text(_: String) -> Result<(), Broken> {
    Ok(())
}

pub(super) fn region(text: String) -> Result<Region, Broken> {
    Region::parse(&text).ok_or_else(|| unknown_region(&text).into())
}

pub(super) fn regions(names: Vec<String>) -> Result<Vec<Region>, Broken> {
    names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let unknown = || Broken::at(format!("/{at}"), unknown_region(name));
            Region::parse(name).ok_or_else(unknown)
        })
        .collect()
}

fn unknown_region(name: &str) -> String {
    let known = Region::ALL.map(|region| format!("`{region}`")).join(", ");
    format!("there is no region {}; there are {known}", echo(name))
}

/// Any name; which roles there are is the schema's to say.
pub(super) fn role(text: String) -> Result<String, Broken> {
    Ok(text)
}

/// An owner is made of a member, not of a stranger.
pub(super) fn role_of_invited(text: String) -> Result<String, Broken> {
    if text == OWNER {
        return Err("nobody is invited as an owner; invite a member and change the role".into());
    }
    Ok(text)
}
