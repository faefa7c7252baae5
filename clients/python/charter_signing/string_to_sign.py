"""The text that a signature covers, and the grammar of its parts. Nothing is decoded or normalised."""

import hashlib
import re
from typing import Union

from .errors import SigningError

_METHOD = re.compile(r"[A-Z0-9!#$%&'*+\-.^_`|~]+")
_TARGET = re.compile(r"/[^\x00-\x20\x7f-\x9f#]*")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9._~-]{8,128}")
_HASH = re.compile(r"[0-9a-f]{64}")


def sha256_hex(body: Union[bytes, bytearray, memoryview]) -> str:
    """The `x-content-sha256` of these bytes."""
    return hashlib.sha256(body).hexdigest()


def string_to_sign(method: str, target: str, date: str, nonce: str, content_sha256: str) -> str:
    """Six lines joined by a line feed, none at the end.

    `target` is path and query exactly as they stand in the request line.
    Raises `SigningError` for the first part that breaks its grammar.
    """
    path, mark, query = target.partition("?")
    if mark and not query:
        raise SigningError("the target ends in a `?` with no query behind it; leave the `?` out")
    rules = [
        (_METHOD, method, "the method must be in capitals, such as `GET`"),
        (
            _TARGET,
            target,
            "the target must start with `/` and hold no space, control character or `#`; "
            "percent-encode them",
        ),
        (_DATE, date, "`x-date` must be written `YYYY-MM-DDTHH:MM:SSZ`"),
        (_NONCE, nonce, "`x-nonce` must be 8 to 128 characters of `A-Za-z0-9._~-`"),
        (
            _HASH,
            content_sha256,
            "`x-content-sha256` must be the body's sha-256 in 64 lowercase hexadecimal digits",
        ),
    ]
    for grammar, part, expected in rules:
        if not grammar.fullmatch(part):
            raise SigningError(expected)
    return "\n".join([method, path, query, date, nonce, content_sha256])
