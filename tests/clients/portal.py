"""A person's whole way, from registering to the end of the organization, over HTTP alone.

Usage: portal.py BASE_URL MAIL_DIRECTORY
Knows what docs/openapi.json and docs/signing.md say, and nothing of the service's code. Prints each
step and its outcome; fails at the first that is not as it should be.
"""

import base64
import datetime
import email
import email.policy
import hashlib
import hmac
import html
import http.cookies
import json
import pathlib
import re
import secrets
import sys
import time
import urllib.error
import urllib.request

import jwt  # PyJWT: the second implementation that reads our tokens

BASE, MAIL = sys.argv[1], pathlib.Path(sys.argv[2])
PASSWORD = "a horse, a battery, a staple"


def call(method, path, body=None, token=None, cookie=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data=data, method=method)
    if data is not None:
        request.add_header("content-type", "application/json")
    if token:
        request.add_header("authorization", f"Bearer {token}")
    if cookie:
        request.add_header("cookie", f"refresh_token={cookie}")
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or "null"), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


def step(what, answer, status=200, code=None):
    got, body, headers = answer
    told = body["error"]["code"] if got >= 400 else None
    print(f"{what}: {got}{' ' + told if told else ''}", flush=True)
    assert (got, told) == (status, code), f"expected {status} {code}, got {got} {body}"
    return body, headers


def refresh_token(headers):
    (line,) = [it for it in headers.get_all("set-cookie") if it.startswith("refresh_token=")]
    cookie = http.cookies.SimpleCookie(line)["refresh_token"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/api/auth"
    return cookie.value


def link(page, to):
    """The token of the newest link of that kind to that address."""
    for _ in range(200):
        for file in sorted(MAIL.glob("*.eml"), reverse=True):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            text = mail.get_body(("plain",)).get_content()
            found = re.search(rf"/{page}\?token=(\S+)", text)
            if mail["to"] == to and found:
                assert found[0] in html.unescape(mail.get_body(("html",)).get_content())
                return found[1]
        time.sleep(0.05)
    raise SystemExit(f"no mail with /{page} to {to}")


def signed(key, method, path, body=b""):
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    nonce, content = secrets.token_hex(16), hashlib.sha256(body).hexdigest()
    text = "\n".join([method, path, "", date, nonce, content])
    mac = hmac.new(key["secret_key"].encode(), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(mac).decode()
    return call(method, path, headers={
        "authorization": f"HMAC {key['access_key']}:{signature}",
        "x-date": date, "x-nonce": nonce, "x-content-sha256": content,
    })


def verified(token):
    """What the token says, checked against the published keys."""
    keys, _ = step("public keys", call("GET", "/.well-known/jwks.json"))
    keys = {key["kid"]: jwt.PyJWK(key) for key in keys["keys"]}
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt" and header["alg"] == "EdDSA"
    return jwt.decode(
        token, keys[header["kid"]].key, algorithms=["EdDSA"], audience=BASE, issuer=BASE,
        options={"require": ["iss", "aud", "sub", "iat", "exp", "jti"]},
    )


slug = "zoo-" + secrets.token_hex(4)
ada, grace = f"ada@{slug}.example", f"grace@{slug}.example"
made, _ = step("register", call("POST", "/api/auth/register", {
    "orgName": "Zoo", "orgSlug": slug, "ownerEmail": ada.upper(), "ownerPassword": PASSWORD,
}))
step("login with another password", call("POST", "/api/auth/login", {"email": ada, "password": "x"}), 401, "INVALID_LOGIN")
login = {"email": ada, "password": PASSWORD}
body, headers = step("login", call("POST", "/api/auth/login", login))
token, cookie = body["access_token"], refresh_token(headers)
claims = verified(token)
assert claims["sub"] == made["userId"] and claims["org"] == made["organizationId"]
assert claims["exp"] - claims["iat"] == body["expires_in"] == 900
step("settings before the address is verified", call("PUT", "/api/portal/organization/settings", {}, token), 403, "EMAIL_NOT_VERIFIED")
verification = {"token": link("verify-email", ada)}
step("the link alone", call("POST", "/api/auth/verify-email", verification), 400, "MISSING_FIELD")
verification["password"] = PASSWORD
step("verify the address", call("POST", "/api/auth/verify-email", verification))
step("verify it again", call("POST", "/api/auth/verify-email", verification), 400, "INVALID_LINK")
step("the session from before", call("POST", "/api/auth/refresh", cookie=cookie), 401, "INVALID_TOKEN")
body, headers = step("login again", call("POST", "/api/auth/login", login))
token, cookie = body["access_token"], refresh_token(headers)
body, headers = step("refresh", call("POST", "/api/auth/refresh", cookie=cookie))
assert refresh_token(headers) != cookie
token, spent, cookie = body["access_token"], cookie, refresh_token(headers)
_, headers = step("refresh in another tab", call("POST", "/api/auth/refresh", cookie=spent))
assert refresh_token(headers) == cookie, "two successors"
organization, _ = step("settings", call("PUT", "/api/portal/organization/settings", {
    "contact_email": f"billing@{slug}.example", "default_region": "eu-central-1",
    "allowed_regions": ["eu-central-1", "us-east-2"],
}, token))
assert organization["defaultRegion"] == "eu-central-1" and organization["slug"] == slug
step("settings that disagree", call("PUT", "/api/portal/organization/settings", {"allowed_regions": ["us-east-2"]}, token), 400, "VALIDATION_FAILED")
assert step("organization", call("GET", "/api/portal/organization", token=token))[0] == organization
me, _ = step("me", call("GET", "/api/portal/me", token=token))
assert me["organization"] == organization and "team:InviteMember" in me["permissions"]
step("change the password", call("POST", "/api/auth/change-password", {"currentPassword": PASSWORD, "newPassword": PASSWORD + "?"}, token))
(session,), _ = step("sessions", call("GET", "/api/portal/sessions", token=token))
assert session["current"] and session["userAgent"].startswith("Python-urllib/")
step("invite", call("POST", "/api/portal/team/invite", {"email": f"alan@{slug}.example", "role": "admin"}, token))
(invitation,), _ = step("invitations", call("GET", "/api/portal/team/invitations", token=token))
step("withdraw it", call("DELETE", f"/api/portal/team/invitations/{invitation['id']}", token=token))
step("invite another", call("POST", "/api/portal/team/invite", {"email": grace, "role": "member"}, token))
acceptance = {"token": link("accept-invitation", grace), "password": PASSWORD}
member, _ = step("accept the invitation", call("POST", "/api/auth/accept-invitation", acceptance))
member = member["access_token"]
step("a member changes settings", call("PUT", "/api/portal/organization/settings", {}, member), 403, "NOT_PERMITTED")
grace_id = verified(member)["sub"]
step("make the member an admin", call("PUT", f"/api/portal/team/{grace_id}/role", {"role": "admin"}, token))
step("the same token changes settings", call("PUT", "/api/portal/organization/settings", {}, member))
step("a foreign origin", call("POST", "/api/auth/refresh", cookie=cookie, headers={"origin": "https://evil.example"}), 403, "ORIGIN_NOT_ALLOWED")
account, _ = step("service account", call("POST", "/service-accounts", {
    "name": "Export", "permissions": ["organizations:GetOrganization"],
}, token), 201)
key, _ = step("access key", call("POST", f"/service-accounts/{account['id']}/keys", {}, token), 201)
info, _ = step("signed request", signed(key, "GET", "/organizations/info"))
assert "org_" + info["slug"] == organization["schemaName"]
step("forgotten password", call("POST", "/api/auth/forgot-password", {"email": grace}))
step("reset it", call("POST", "/api/auth/reset-password", {"token": link("reset-password", grace), "newPassword": PASSWORD + "!"}))
step("the old session", call("GET", "/api/portal/organization", token=member), 401, "INVALID_TOKEN")
over, _ = step("deactivate", call("POST", "/api/portal/organization/deactivate", token=token))
assert over["isActive"] is False
step("the same signed request", signed(key, "GET", "/organizations/info"), 401, "KEY_REVOKED")
step("a write", call("PUT", "/api/portal/organization/settings", {}, token), 403, "ORGANIZATION_DEACTIVATED")
step("a read", call("GET", "/api/portal/organization", token=token))
step("refresh", call("POST", "/api/auth/refresh", cookie=cookie), 401, "INVALID_TOKEN")
step("logout", call("POST", "/api/auth/logout", token=token))
step("after it", call("GET", "/api/portal/organization", token=token), 401, "INVALID_TOKEN")
