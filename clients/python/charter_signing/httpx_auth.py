"""Signing for httpx, sync and async: `httpx.Client(base_url=signer.base_url, auth=SigningAuth(signer))`."""

from collections.abc import Generator

import httpx

from .signer import Signer


class SigningAuth(httpx.Auth):
    """Signs each request that a client sends, with a date and a nonce of its own.

    Raises `ForeignOrigin` for a request to another origin than the signer's. httpx follows no
    redirect unless told to; one that it follows is not signed anew, so the server refuses it.
    """

    # httpx reads streams to their end before `auth_flow`, and sends what it read.
    requires_request_body = True

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        url = request.url
        self._signer.require_own_origin(url.scheme, url.raw_host.decode("ascii"), url.port)
        # `raw_path` is what httpx writes into the request line, query included.
        target = url.raw_path.decode("ascii")
        request.headers.update(self._signer.sign(request.method, target, request.content))
        yield request

    def __repr__(self) -> str:
        return f"SigningAuth({self._signer!r})"
