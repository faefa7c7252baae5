"""Signs requests to Charter: HMAC-SHA256 over the request as sent.

`Signer` needs the standard library alone. `charter_signing.httpx_auth` and
`charter_signing.requests_auth` sign for those two libraries and import them.
"""

from .errors import ForeignOrigin, MissingCredential, SigningError
from .signer import Signer
from .string_to_sign import sha256_hex, string_to_sign

__all__ = [
    "ForeignOrigin",
    "MissingCredential",
    "Signer",
    "SigningError",
    "sha256_hex",
    "string_to_sign",
]
