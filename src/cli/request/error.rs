//! Errors of `charter request`.

use std::io;

use ureq::http::StatusCode;

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A credential is not set in the environment.
    #[error("`{0}` is not set; `charter serve --demo` writes a `demo.env` that sets it")]
    MissingCredential(&'static str),
    /// Another client's rule, too.
    #[error("`{0}` must be visible ASCII characters, without white space or a line break")]
    MalformedSecret(&'static str),
    #[error(
        "`{0}` cannot be the base URL; give scheme, host and port only, such as \
         `https://charter.example.org`: a path there would not be part of what is signed"
    )]
    BaseUrl(String),
    #[error("cannot sign this request: {0}")]
    Unsignable(#[from] signing::Malformed),
    /// The target cannot be sent literally.
    #[error("`{0}` cannot be sent as it is written; percent-encode what is not plain ASCII")]
    Target(String),
    /// A `-H` is not a header, or is one that signing sets.
    #[error("`{0}` cannot be sent as a header: {1}")]
    Header(String, &'static str),
    #[error("cannot read the body from `{0}`: {1}")]
    Body(String, io::Error),
    /// No shell argument can contain the body.
    #[error("the body is not text, so no shell line can hold it; save it and give `-d @FILE`")]
    UnprintableBody,
    #[error(
        "no answer from `{url}`: {reason}; see that the server runs and that `CHARTER_BASE_URL` \
         names it"
    )]
    NoAnswer { url: String, reason: String },
    /// A response came, but cannot be written.
    #[error("the server answered {0}, but the answer cannot be written: {1}")]
    Unprinted(StatusCode, io::Error),
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}
