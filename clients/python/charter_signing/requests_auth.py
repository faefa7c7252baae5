"""Signing for requests: `session(signer)`, which signs each attempt, or `SigningAuth` for one attempt."""

from typing import Any, Optional, Union

import requests
import requests.adapters
import requests.auth
import urllib3
from urllib3.util import Retry, parse_url

from .errors import SigningError
from .signer import Signer


class SigningAuth(requests.auth.AuthBase):
    """Signs a request when requests prepares it, for one attempt.

    urllib3's retries (`HTTPAdapter(max_retries=…)`) repeat the headers, nonce included, and so do
    redirects: the server refuses the second attempt. For those take `session`.
    Raises `ForeignOrigin` for a request to another origin than the signer's.
    """

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = _prepare(self._signer, request)
        request.headers.update(self._signer.sign(request.method or "", request.path_url, body))
        return request

    def __repr__(self) -> str:
        return f"SigningAuth({self._signer!r})"


class SigningAdapter(requests.adapters.HTTPAdapter):
    """Signs below urllib3's retries and requests' redirects: each attempt has a nonce of its own.

    The signing headers are on the wire only, not in `response.request.headers`.
    """

    def __init__(
        self, signer: Signer, max_retries: Union[int, Retry] = 0, **options: Any
    ) -> None:
        self._signer = signer
        super().__init__(max_retries=max_retries, **options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _signing_pools(self._signer)

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _signing_pools(self._signer)
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        _prepare(self._signer, request)
        return super().send(request, *args, **options)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # requests would drop the signer, and only loading would fail.
        raise TypeError("a session that signs cannot be pickled or deep-copied: make another from its signer")


def session(signer: Signer, max_retries: Union[int, Retry] = 0) -> requests.Session:
    """A session that signs whatever it sends, and sends to the signer's base URL only.

    Anything else, a redirect elsewhere included, raises `ForeignOrigin` before it is sent.
    `max_retries` as in `requests.adapters.HTTPAdapter`. urllib3 leaves POST and PATCH alone unless
    `allowed_methods` says otherwise: a nonce is no idempotency key.
    """
    made = requests.Session()
    adapter = SigningAdapter(signer, max_retries)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


def _signing_pools(signer: Signer) -> dict[str, Any]:
    def signing(base: Any) -> Any:
        class Pool(base):  # type: ignore[misc]
            # urllib3 calls this once for each attempt.
            def urlopen(
                self,
                method: str,
                url: str,
                body: Optional[bytes] = None,
                headers: Any = None,
                *args: Any,
                **options: Any,
            ) -> Any:
                # Behind a proxy for plain http the URL is absolute; the server sees its target.
                target = url if url.startswith("/") else parse_url(url).request_uri
                signed = requests.structures.CaseInsensitiveDict(headers or {})
                # Last, so that nothing takes its place: no `.netrc`, no `auth=`.
                signed.update(signer.sign(method, target, body or b""))
                return super().urlopen(method, url, body, signed, *args, **options)

        return Pool

    return {
        "http": signing(urllib3.HTTPConnectionPool),
        "https": signing(urllib3.HTTPSConnectionPool),
    }


def _prepare(signer: Signer, request: requests.PreparedRequest) -> bytes:
    """Brings URL and body into the form in which they will be sent; gives the body's bytes."""
    # Read by the parser that says where urllib3 connects to.
    url = parse_url(request.url or "")
    signer.require_own_origin(url.scheme or "", url.host or "", url.port)
    if (url.path or "").startswith("//"):
        raise SigningError("the path starts with `//`, which requests may send as `/`")
    # urllib3 would normalise on the way out, after the request was signed.
    request.url = url.url
    return _as_bytes(request)


def _as_bytes(request: requests.PreparedRequest) -> bytes:
    """The body as the bytes that will be sent, put back into the request."""
    body = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        # `http.client` would encode it as Latin-1.
        body = body.encode("utf-8")
        request.body = body
        request.prepare_content_length(body)
    if not isinstance(body, (bytes, bytearray)):
        raise SigningError(
            "the body is a stream, and its bytes are part of the signature; pass `data=stream.read()`"
        )
    return bytes(body)
