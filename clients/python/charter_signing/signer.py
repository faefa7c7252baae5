"""Credentials for one service account on one server, and the four headers they make."""

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Optional, Union
from urllib.parse import urlsplit

from .errors import ForeignOrigin, MissingCredential, SigningError
from .string_to_sign import sha256_hex, string_to_sign

_ACCESS_KEY = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_SECRET_KEY = re.compile(r"[\x21-\x7e]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Signer:
    """Signs requests to `base_url`, and to nowhere else.

    The secret is kept as a keyed hash state only: neither `repr` nor `vars` nor `pickle` shows it.
    Safe to share between threads.
    """

    __slots__ = ("access_key", "base_url", "_mac", "_origin")

    def __init__(self, access_key: str, secret_key: str, base_url: str) -> None:
        """`base_url` is scheme, host and port only: a path there would not be part of what is signed."""
        if not _ACCESS_KEY.fullmatch(access_key):
            raise SigningError("the access key must be 1 to 128 characters of `A-Za-z0-9._~-`")
        if not _SECRET_KEY.fullmatch(secret_key):
            raise SigningError("the secret key must be visible ASCII characters, without white space")
        self.access_key = access_key
        self.base_url = base_url.rstrip("/")
        self._origin = _origin_of_base_url(base_url)
        self._mac = hmac.new(secret_key.encode("ascii"), digestmod=hashlib.sha256)

    @classmethod
    def from_env(cls, environ: Optional[Mapping[str, str]] = None) -> "Signer":
        """From `CHARTER_ACCESS_KEY`, `CHARTER_SECRET_KEY` and `CHARTER_BASE_URL`."""
        variables = os.environ if environ is None else environ

        def required(name: str) -> str:
            value = variables.get(name, "")
            if not value:
                raise MissingCredential(f"`{name}` is not set")
            return value

        return cls(
            required("CHARTER_ACCESS_KEY"),
            required("CHARTER_SECRET_KEY"),
            required("CHARTER_BASE_URL"),
        )

    def sign(
        self,
        method: str,
        target: str,
        body: Union[bytes, bytearray, memoryview] = b"",
        *,
        date: Optional[str] = None,
        nonce: Optional[str] = None,
    ) -> dict[str, str]:
        """The four headers of one attempt to send this request; sign again for each retry.

        `target` is path and query as they will stand in the request line, `body` the bytes that
        will be sent. Without `date` and `nonce`: now, and 128 random bits.
        """
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise TypeError("the body must be bytes: encode it first, what is signed is what is sent")
        if date is None:
            date = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if nonce is None:
            nonce = secrets.token_hex(16)
        content_sha256 = sha256_hex(body)
        mac = self._mac.copy()
        mac.update(string_to_sign(method, target, date, nonce, content_sha256).encode())
        signature = base64.b64encode(mac.digest()).decode("ascii")
        return {
            "authorization": f"HMAC {self.access_key}:{signature}",
            "x-date": date,
            "x-nonce": nonce,
            "x-content-sha256": content_sha256,
        }

    def require_own_origin(self, scheme: str, host: str, port: Optional[int]) -> None:
        """Raises `ForeignOrigin` unless the request goes to the base URL's scheme, host and port."""
        if _origin(scheme, host, port) != self._origin:
            name = host.strip("[]")
            name = f"[{name}]" if ":" in name else name
            where = f"{scheme}://{name}:{port}" if port else f"{scheme}://{name}"
            raise ForeignOrigin(
                f"not signing a request to `{where}`: these credentials are for `{self.base_url}` only"
            )

    def __repr__(self) -> str:
        return f"Signer(access_key={self.access_key!r}, base_url={self.base_url!r})"


def _origin(scheme: str, host: str, port: Optional[int]) -> tuple[str, str, Optional[int]]:
    scheme = scheme.lower()
    return scheme, host.lower().strip("[]"), port or _DEFAULT_PORTS.get(scheme)


def _origin_of_base_url(base_url: str) -> tuple[str, str, Optional[int]]:
    refusal = SigningError(
        "the base URL must be scheme, host and port only, such as `https://charter.example.org`"
    )
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise refusal from None
    well_formed = (
        base_url.isascii()
        and parts.scheme in _DEFAULT_PORTS
        and host
        and "@" not in parts.netloc
        and parts.path in ("", "/")
        and not parts.query
        and not parts.fragment
    )
    if not well_formed:
        raise refusal
    return _origin(parts.scheme, host or "", port)
