"""httpx: what is signed is what is on the wire."""

import asyncio
import os
import unittest
from unittest import mock

from charter_signing import ForeignOrigin, Signer, SigningError

from .support import ACCESS_KEY, SECRET_KEY, Recorder, required

# What clients rewrite: each is sent in some spelling, and that spelling must be the signed one.
TARGETS = [
    "/organizations/info",
    "/service-accounts?page=1&quantity=20",
    "/service-accounts?order_by=%2Dcreated_at",
    "/service-accounts?b=2&a=1&b=1",
    "/a/../b/./c",
    "/a%2fb/%7euser",
    "/ação?q=☂&r=é",
    "/a b?c d=e f",
    "/p?q=[1]&r={2}|^`\"<>\\",
    "/p?q=100%",
    "/p?q=%zz",
    "/p?q=a?b/c:d@e",
    "/p;v=1,2?q='*()!$",
    "/p#fragment",
    "/p?q=1#fragment",
    "?q=1",
    "",
]


def setUpModule():
    global httpx, SigningAuth
    httpx = required("httpx")
    from charter_signing.httpx_auth import SigningAuth
    # A proxy of the surroundings has no business between these tests and their server.
    patch = mock.patch.dict(os.environ, {"NO_PROXY": "*", "no_proxy": "*"})
    patch.start()
    unittest.addModuleCleanup(patch.stop)


def client(recorder, **options):
    auth = SigningAuth(Signer(ACCESS_KEY, SECRET_KEY, recorder.url))
    return httpx.Client(auth=auth, **options)


class Wire(unittest.TestCase):
    def test_the_target_is_signed_as_it_is_sent(self):
        with Recorder() as recorder, client(recorder) as sender:
            for target in TARGETS:
                with self.subTest(target):
                    self.assertEqual(sender.get(recorder.url + target).status_code, 200)
                    recorder.received[-1].verify()
            sender.get(recorder.url + "/p", params={"q": "ä b&c", "r": ["1", "2"]})
            recorder.received[-1].verify()
            self.assertEqual(len(recorder.received), len(TARGETS) + 1)

    def test_the_body_is_signed_as_it_is_sent(self):
        bodies = [
            {"content": b"\x00\xff"},
            {"content": "Ação ☂"},
            {"json": {"name": "Ação ☂"}},
            {"data": {"a": "ä b", "c": "&"}},
            {"files": {"f": ("n.txt", b"some bytes")}},
            {"content": iter([b"a", b"", b"bc"])},
            {},
        ]
        with Recorder() as recorder, client(recorder) as sender:
            for body in bodies:
                with self.subTest(body):
                    sender.request("PATCH", recorder.url + "/p", **body)
                    recorder.received[-1].verify()
            self.assertEqual(recorder.received[-2].body, b"abc")

    def test_a_query_mark_without_a_query_is_never_signed_wrongly(self):
        with Recorder() as recorder, client(recorder) as sender:
            try:
                sender.get(recorder.url + "/p?")
            except SigningError:
                self.assertEqual(recorder.received, [])
            else:
                recorder.received[-1].verify()

    def test_it_signs_for_async_clients_too(self):
        async def chunks():
            yield b"a"
            yield b"b"

        async def send(recorder):
            auth = SigningAuth(Signer(ACCESS_KEY, SECRET_KEY, recorder.url))
            async with httpx.AsyncClient(base_url=recorder.url, auth=auth) as sender:
                await sender.get("/p?q=1")
                await sender.post("/p", content=chunks())

        with Recorder() as recorder:
            asyncio.run(send(recorder))
            for request in recorder.received:
                request.verify()
            self.assertEqual([it.body for it in recorder.received], [b"", b"ab"])


class Attempts(unittest.TestCase):
    def test_every_send_of_one_request_has_another_nonce(self):
        with Recorder([(503, {}), (503, {})]) as recorder, client(recorder) as sender:
            request = sender.build_request("PATCH", recorder.url + "/p", content=b"{}")
            for _ in range(3):
                if sender.send(request).status_code == 200:
                    break
            for received in recorder.received:
                received.verify()
                self.assertEqual(received.body, b"{}")
            self.assertEqual(len({it.nonce for it in recorder.received}), 3)

    def test_the_secret_is_in_no_repr(self):
        auth = SigningAuth(Signer(ACCESS_KEY, SECRET_KEY, "http://127.0.0.1"))
        self.assertNotIn(SECRET_KEY, repr(auth) + repr(vars(auth)))


class Origins(unittest.TestCase):
    def test_a_request_elsewhere_is_neither_signed_nor_sent(self):
        with Recorder() as ours, Recorder() as theirs, client(ours) as sender:
            with self.assertRaises(ForeignOrigin):
                sender.get(theirs.url + "/p")
            self.assertEqual(theirs.received, [])

    def test_a_redirect_is_not_followed_unless_told_to(self):
        with Recorder([(307, {"location": "/other"})]) as recorder, client(recorder) as sender:
            self.assertEqual(sender.get(recorder.url + "/p").status_code, 307)
            self.assertEqual(len(recorder.received), 1)

    def test_a_followed_redirect_carries_no_signature_to_another_host(self):
        with Recorder() as theirs, Recorder([(307, {"location": theirs.url + "/p"})]) as ours:
            with client(ours, follow_redirects=True) as sender:
                sender.get(ours.url + "/p")
            (received,) = theirs.received
            self.assertNotIn("authorization", received.headers)

    def test_a_followed_redirect_on_the_same_host_is_not_signed_anew(self):
        # As the documentation says: such a request is refused. It must not pass for signed.
        with Recorder([(307, {"location": "/other"})]) as recorder:
            with client(recorder, follow_redirects=True) as sender:
                sender.get(recorder.url + "/p")
            recorder.received[0].verify()
            with self.assertRaisesRegex(AssertionError, "signature of /other"):
                recorder.received[1].verify()
