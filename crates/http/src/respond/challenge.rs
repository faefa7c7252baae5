//! `www-authenticate`: the schemes that would have been taken (RFC 9110 section 11.6.1).

use salvo::http::header::HeaderValue;

/// The schemes that a route takes. Left with the request by whoever reads its credentials; without it a 401 names
/// `Bearer`, which most routes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// Signed requests only.
    Signed,
    Bearer,
    SignedOrBearer,
}

impl Challenge {
    pub(super) const fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Signed => "HMAC",
            Self::Bearer => "Bearer",
            Self::SignedOrBearer => "HMAC, Bearer",
        })
    }
}
