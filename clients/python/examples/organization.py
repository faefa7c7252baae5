"""Reads the organization: pip install 'charter-signing[httpx]', set the three CHARTER_ variables."""

import httpx

from charter_signing import Signer
from charter_signing.httpx_auth import SigningAuth

signer = Signer.from_env()
with httpx.Client(base_url=signer.base_url, auth=SigningAuth(signer)) as client:
    answer = client.get("/organizations/info")
print(answer.status_code, answer.text)
