"""A running service: what it accepts, and what it says when it refuses."""

import datetime
import json
import os
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from unittest import mock

from charter_signing import Signer

from .support import REPOSITORY, Service, required


def setUpModule():
    global service, signer
    service = Service.running()
    signer = Signer.from_env(service.environ)
    patch = mock.patch.dict(os.environ, {"NO_PROXY": "*", "no_proxy": "*"})
    patch.start()
    unittest.addModuleCleanup(patch.stop)


def send(method, target, body=b"", signed=None, **options):
    """Signs and sends; `signed` are the headers of another request."""
    headers = signer.sign(method, target, body, **options) if signed is None else signed
    if body:
        headers = {**headers, "content-type": "application/json"}
    request = urllib.request.Request(
        signer.base_url + target, data=body or None, headers=headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)["error"]


class Accepted(unittest.TestCase):
    def test_the_core_reads_and_writes(self):
        self.assertEqual(send("GET", "/organizations/info")[0], 200)
        body = json.dumps({"metadata": {"signed_with": "ação ☂"}}, ensure_ascii=False).encode()
        status, changed = send("PATCH", "/organizations/info", body)
        self.assertEqual((status, changed["metadata"]["signed_with"]), (200, "ação ☂"))

    def test_httpx_reads_and_writes(self):
        httpx = required("httpx")
        from charter_signing.httpx_auth import SigningAuth

        with httpx.Client(base_url=signer.base_url, auth=SigningAuth(signer)) as client:
            for _ in range(2):
                self.assertEqual(client.get("/organizations/info").status_code, 200)
            answer = client.patch("/organizations/info", json={"metadata": {"with": "httpx ☂"}})
            self.assertEqual(answer.json()["metadata"]["with"], "httpx ☂")

    def test_requests_reads_and_writes(self):
        requests = required("requests")
        from charter_signing.requests_auth import SigningAuth, session

        plain, retrying = requests.Session(), session(signer, 2)
        plain.auth = SigningAuth(signer)
        for sender in (plain, retrying):
            self.addCleanup(sender.close)
            for _ in range(2):
                answer = sender.get(signer.base_url + "/organizations/info")
                self.assertEqual(answer.status_code, 200)
            answer = sender.patch(
                signer.base_url + "/organizations/info", json={"metadata": {"with": "requests ☂"}}
            )
            self.assertEqual(answer.json()["metadata"]["with"], "requests ☂")

    def test_the_example_reads_the_organization(self):
        required("httpx")
        example = REPOSITORY / "clients/python/examples/organization.py"
        ran = subprocess.run(
            [sys.executable, example],
            env={**os.environ, **service.environ, "PYTHONPATH": str(REPOSITORY / "clients/python")},
            capture_output=True,
            text=True,
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(ran.stdout, r'\A200 \{"id":"org-')

    def test_a_query_is_read_as_it_was_signed(self):
        manager = Signer(
            service.environ["CHARTER_MANAGER_ACCESS_KEY"],
            service.environ["CHARTER_MANAGER_SECRET_KEY"],
            signer.base_url,
        )
        target = "/accounts?quantity=20&order_by=%2Dcreated_at"
        status, answer = send("GET", target, signed=manager.sign("GET", target))
        self.assertEqual(status, 200, answer)


class Refused(unittest.TestCase):
    def refusal(self, answer, code):
        status, error = answer
        self.assertEqual((status, error["code"]), (401, code), error)
        return error

    def test_a_changed_body(self):
        signed = signer.sign("PATCH", "/organizations/info", b'{"name":"Acme"}')
        answer = send("PATCH", "/organizations/info", b'{"name":"Mine"}', signed)
        self.refusal(answer, "BODY_HASH_MISMATCH")

    def test_a_changed_target_and_method(self):
        signed = signer.sign("GET", "/organizations/info")
        error = self.refusal(send("GET", "/permissions", signed=signed), "INVALID_SIGNATURE")
        self.assertIn("GET\n/permissions\n\n", error["string_to_sign"])
        self.refusal(send("PATCH", "/organizations/info", signed=signed), "INVALID_SIGNATURE")

    def test_another_secret(self):
        other = Signer(signer.access_key, "sk_live_other", signer.base_url)
        signed = other.sign("GET", "/organizations/info")
        self.refusal(send("GET", "/organizations/info", signed=signed), "INVALID_SIGNATURE")

    def test_a_replayed_nonce(self):
        signed = signer.sign("GET", "/organizations/info")
        self.assertEqual(send("GET", "/organizations/info", signed=signed)[0], 200)
        self.refusal(send("GET", "/organizations/info", signed=signed), "REPLAYED_NONCE")
        # Signed anew, it is no replay of the request, but of the nonce.
        answer = send("GET", "/permissions", nonce=signed["x-nonce"])
        self.refusal(answer, "REPLAYED_NONCE")

    def test_a_clock_that_is_off_is_told_the_server_s_time(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        for minutes in (-6, 6):
            date = (now + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
            error = self.refusal(send("GET", "/organizations/info", date=date), "CLOCK_SKEW")
            self.assertRegex(error["message"], now.strftime("%Y-%m-%dT"))

    def test_what_policy_denies_is_another_matter(self):
        reader = Signer(
            service.environ["CHARTER_READER_ACCESS_KEY"],
            service.environ["CHARTER_READER_SECRET_KEY"],
            signer.base_url,
        )
        body = b'{"name":"Mine"}'
        signed = reader.sign("PATCH", "/organizations/info", body)
        status, error = send("PATCH", "/organizations/info", body, signed)
        self.assertEqual((status, error["code"]), (403, "NOT_PERMITTED"))
