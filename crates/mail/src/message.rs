//! Renders emails: text and HTML (RFC 2046 section 5.1.4).

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use minijinja::{Environment, context};
use url::Host;

use charter_domain::id::JobId;
use charter_domain::outgoing_email::{Email, EmailKind};
use charter_domain::timestamp::Timestamp;

/// Without the line break (RFC 5322).
const MAX_LINE_BYTES: usize = 998;
const TEXT: &str = "email.txt";
/// With this extension the template engine escapes values.
const HTML: &str = "email.html";

/// Why a message could not be composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    #[error("`mail.from` is not an address such as `Charter <no-reply@example.com>`")]
    From(#[source] lettre::address::AddressError),
    /// Only mail servers with SMTPUTF8 (RFC 6531) accept it.
    #[error("`mail.from` must have only ASCII characters before the `@`")]
    FromNotAscii,
    #[error("the recipient's address cannot be written to: {0}")]
    To(lettre::address::AddressError),
    #[error("the mail's template is broken: {0}")]
    Template(#[from] minijinja::Error),
    #[error("the mail cannot be composed: {0}")]
    Message(#[from] lettre::error::Error),
}

/// Composes the messages of one sender.
pub struct Composer {
    from: Mailbox,
    templates: Environment<'static>,
}

struct Words {
    subject: String,
    text: String,
    action: &'static str,
    note: &'static str,
}

impl Composer {
    /// Messages from this address; from `charter@localhost` if it is empty.
    pub fn new(from: &str) -> Result<Self, ComposeError> {
        let from = if from.is_empty() {
            "Charter <charter@localhost>"
        } else {
            from
        };
        let mut templates = Environment::new();
        templates.add_template(TEXT, include_str!("email.txt"))?;
        templates.add_template(HTML, include_str!("email.html"))?;
        Ok(Self {
            from: sender(from)?,
            templates,
        })
    }

    /// Composes the message. Composing the same email again yields the same message id, so that a mailbox can
    /// recognize duplicates.
    pub fn compose(
        &self,
        id: JobId,
        email: &Email,
        now: Timestamp,
    ) -> Result<Message, ComposeError> {
        let words = words(&email.kind);
        let values = context! {
            heading => words.subject,
            text => words.text,
            action => words.action,
            note => words.note,
            link => email.link,
        };
        let text = self.templates.get_template(TEXT)?.render(&values)?;
        let html = self.templates.get_template(HTML)?.render(&values)?;
        let to = email.to.parse().map_err(ComposeError::To)?;
        let domain = self.from.email.domain();
        Ok(Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(words.subject)
            .date(now.into())
            .message_id(Some(format!("<{}@{domain}>", id.uuid())))
            .multipart(
                MultiPart::alternative()
                    .singlepart(plain(text))
                    .singlepart(SinglePart::html(html)),
            )?)
    }
}

/// What is wrong with a text for `mail.from`.
///
/// # Errors
///
/// In words.
pub fn check_sender(text: &str) -> Result<(), String> {
    match sender(text) {
        Ok(_) => Ok(()),
        Err(ComposeError::FromNotAscii) => {
            Err("must have only ASCII characters before the `@`".to_owned())
        }
        Err(_) => Err(format!(
            "`{text}` is not an address such as `Charter <no-reply@example.com>`"
        )),
    }
}

/// Parses `mail.from`; an international domain becomes A-labels (UTS #46), which every mail server accepts.
fn sender(text: &str) -> Result<Mailbox, ComposeError> {
    let mailbox: Mailbox = text.parse().map_err(ComposeError::From)?;
    if !mailbox.email.user().is_ascii() {
        return Err(ComposeError::FromNotAscii);
    }
    let Ok(Host::Domain(domain)) = Host::parse(mailbox.email.domain()) else {
        // An address literal is ASCII already.
        return Ok(mailbox);
    };
    let address = Address::new(mailbox.email.user(), domain).map_err(ComposeError::From)?;
    Ok(Mailbox::new(mailbox.name, address))
}

/// Unencoded if possible (RFC 5322 section 2.1.1), so that the link stays on one line in the file; the library
/// would fold lines of more than 76 characters.
fn plain(text: String) -> SinglePart {
    if !text.is_ascii() || text.lines().any(|line| line.len() > MAX_LINE_BYTES) {
        return SinglePart::plain(text);
    }
    let lines: Vec<_> = text.lines().collect();
    let bytes = lines.join("\r\n").into_bytes();
    SinglePart::builder()
        .header(ContentType::TEXT_PLAIN)
        .body(Body::dangerous_pre_encoded(
            bytes,
            ContentTransferEncoding::SevenBit,
        ))
}

fn words(kind: &EmailKind) -> Words {
    match kind {
        EmailKind::VerifyEmail => Words {
            subject: "Verify your e-mail address".to_owned(),
            text:
                "Somebody, probably you, registered an organization with this address. Follow the \
                   link and enter the password that you chose, to show that the address is yours; \
                   until then you can look, but not change anything."
                    .to_owned(),
            action: "Verify the address",
            note: "The link can be used once, for 24 hours. If it was not you, ignore this mail.",
        },
        EmailKind::ResetPassword => Words {
            subject: "Reset your password".to_owned(),
            text:
                "Somebody, probably you, asked to set another password. Follow the link to choose \
                   it; you will be signed out everywhere."
                    .to_owned(),
            action: "Choose another password",
            note: "The link can be used once, for an hour. If it was not you, ignore this mail: the \
                   password stays as it is.",
        },
        EmailKind::Invitation { organization, role } => Words {
            subject: format!("You are invited to {organization}"),
            text: format!(
                "You are invited to join {organization} with the role {role}. Follow the link to \
                 choose a password and sign in."
            ),
            action: "Accept the invitation",
            note: "The link can be used once, for 48 hours. If you did not expect it, ignore this \
                   mail.",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charter_domain::timestamp;

    fn composed(kind: EmailKind, from: &str) -> String {
        let email = Email {
            to: "ada@example.com".to_owned(),
            kind,
            link: "https://portal.example.com/x?token=abc_DEF-1&more".to_owned(),
        };
        let id = JobId::from_uuid(uuid::Uuid::from_u128(7));
        let now = timestamp::parse("2025-09-30T12:00:00Z").expect("a time");
        let composer = Composer::new(from).expect("an address");
        let message = composer.compose(id, &email, now).expect("a message");
        String::from_utf8(message.formatted()).expect("text")
    }

    #[test]
    fn a_message_has_both_forms_and_escapes_what_people_wrote() {
        let text = composed(
            EmailKind::Invitation {
                organization: "<b>Größe</b> & Söhne".to_owned(),
                role: "admin".to_owned(),
            },
            "Charter <no-reply@example.com>",
        );
        for part in [
            "To: ada@example.com",
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>",
            "Date: Tue, 30 Sep 2025 12:00:00 +0000",
            "multipart/alternative",
            "text/plain; charset=utf-8",
            "text/html; charset=utf-8",
            "Subject: You are invited to ",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        assert!(
            !text.contains("\r\n<b>") && text.contains("&lt;b&gt;"),
            "{text}"
        );
    }

    #[test]
    fn every_matter_has_words_and_a_bad_sender_is_refused() {
        for kind in [EmailKind::VerifyEmail, EmailKind::ResetPassword] {
            assert!(composed(kind, "").contains("From: Charter <charter@localhost>"));
        }
        for bad in [
            "nobody",
            "Charter <>",
            "a b@example.com",
            "Ада <ада@example.com>",
        ] {
            let refused = Composer::new(bad).err().expect("no address").to_string();
            assert!(refused.contains("mail.from"), "{refused}");
        }
    }

    #[test]
    fn an_international_sender_is_written_in_ascii() {
        let text = composed(EmailKind::VerifyEmail, "Bücher <No-Reply@Bücher.example>");
        for part in [
            "<No-Reply@xn--bcher-kva.example>",
            "@xn--bcher-kva.example>",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        assert!(text.is_ascii(), "{text}");
    }
}
