"""requests: what is signed is what is on the wire, and what its retries and redirects do to it."""

import copy
import io
import os
import pickle
import unittest
from unittest import mock

from charter_signing import ForeignOrigin, Signer, SigningError

from .support import ACCESS_KEY, SECRET_KEY, Recorder, required
from .test_httpx import TARGETS


def setUpModule():
    global requests, Retry, SigningAdapter, SigningAuth, session
    requests = required("requests")
    from urllib3.util import Retry

    from charter_signing.requests_auth import SigningAdapter, SigningAuth, session
    patch = mock.patch.dict(os.environ, {"NO_PROXY": "*", "no_proxy": "*"})
    patch.start()
    unittest.addModuleCleanup(patch.stop)


def signer(recorder):
    return Signer(ACCESS_KEY, SECRET_KEY, recorder.url)


class Case(unittest.TestCase):
    def session(self, ours, max_retries=0):
        made = session(ours, max_retries)
        self.addCleanup(made.close)
        return made

    def with_auth(self, ours):
        made = requests.Session()
        made.auth = SigningAuth(ours)
        self.addCleanup(made.close)
        return made

    def both_ways(self, ours):
        return [("auth", self.with_auth(ours)), ("session", self.session(ours))]


def retry(total):
    return Retry(total, status_forcelist=[503], allowed_methods=None, backoff_factor=0)


class Wire(Case):
    def test_the_target_is_signed_as_it_is_sent(self):
        with Recorder() as recorder:
            for way, sender in self.both_ways(signer(recorder)):
                for target in TARGETS:
                    with self.subTest(way=way, target=target):
                        self.assertEqual(sender.get(recorder.url + target).status_code, 200)
                        recorder.received[-1].verify()
                for params in ({"q": "ä b&c", "r": ["1", "2"]}, "q=[1]&r={2}&s=%2f"):
                    with self.subTest(way=way, params=params):
                        sender.get(recorder.url + "/p", params=params)
                        recorder.received[-1].verify()

    def test_the_body_is_signed_as_it_is_sent(self):
        bodies = [
            {"data": b"\x00\xff"},
            {"data": "Ação ☂"},
            {"data": "é"},
            {"json": {"name": "Ação ☂"}},
            {"data": {"a": "ä b", "c": "&"}},
            {"files": {"f": ("n.txt", b"some bytes")}},
            {},
        ]
        with Recorder() as recorder:
            for way, sender in self.both_ways(signer(recorder)):
                for body in bodies:
                    with self.subTest(way=way, body=body):
                        sender.request("PATCH", recorder.url + "/p", **body)
                        recorder.received[-1].verify()
            self.assertEqual(recorder.received[1].body, "Ação ☂".encode())

    def test_a_stream_is_refused_with_what_to_do(self):
        with Recorder() as recorder:
            for way, sender in self.both_ways(signer(recorder)):
                for stream in (io.BytesIO(b"{}"), iter([b"{}"])):
                    with self.subTest(way=way, stream=stream):
                        with self.assertRaisesRegex(SigningError, r"stream\.read\(\)"):
                            sender.post(recorder.url + "/p", data=stream)
            self.assertEqual(recorder.received, [])

    def test_what_may_be_sent_otherwise_is_refused(self):
        with Recorder() as recorder:
            for way, sender in self.both_ways(signer(recorder)):
                with self.subTest(way), self.assertRaisesRegex(SigningError, "`//`"):
                    sender.get(recorder.url + "//p")
                sender.get(recorder.url + "/p?")
                recorder.received[-1].verify()

    def test_through_a_proxy_the_target_is_signed_and_not_the_url(self):
        with Recorder() as proxy, mock.patch.dict(os.environ, {"NO_PROXY": "", "no_proxy": ""}):
            ours = Signer(ACCESS_KEY, SECRET_KEY, "http://charter.example.org")
            for way, sender in self.both_ways(ours):
                sender.proxies = {"http": proxy.url}
                with self.subTest(way):
                    sender.get("http://charter.example.org/p?q=1")
                    received = proxy.received[-1]
                    self.assertEqual(received.target, "http://charter.example.org/p?q=1")
                    # The proxy makes this of it.
                    received.target = "/p?q=1"
                    received.verify()


class Retries(Case):
    def test_the_session_signs_every_attempt(self):
        with Recorder([(503, {}), (503, {})]) as recorder:
            sender = self.session(signer(recorder), retry(3))
            answer = sender.patch(recorder.url + "/p", data=b"{}")
            self.assertEqual(answer.status_code, 200)
            for received in recorder.received:
                received.verify()
                self.assertEqual(received.body, b"{}")
                for name in ("authorization", "x-date", "x-nonce", "x-content-sha256"):
                    self.assertEqual(len(received.headers.get_all(name)), 1)
            self.assertEqual(len({it.nonce for it in recorder.received}), 3)

    def test_without_retries_asked_for_nothing_is_sent_twice(self):
        with Recorder([(503, {})]) as recorder:
            self.assertEqual(self.session(signer(recorder)).get(recorder.url + "/p").status_code, 503)
            self.assertEqual(len(recorder.received), 1)

    def test_the_plain_auth_repeats_its_nonce_under_urllib3_retries(self):
        # Why `session` exists: the server refuses the second of these.
        with Recorder([(503, {})]) as recorder:
            sender = self.with_auth(signer(recorder))
            sender.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry(1)))
            sender.get(recorder.url + "/p")
            first, second = recorder.received
            self.assertEqual(first.nonce, second.nonce)

    def test_the_plain_auth_signs_every_call(self):
        with Recorder([(503, {})]) as recorder:
            sender = self.with_auth(signer(recorder))
            while sender.get(recorder.url + "/p").status_code == 503:
                pass
            first, second = recorder.received
            self.assertNotEqual(first.nonce, second.nonce)
            second.verify()


class Origins(Case):
    def test_a_request_elsewhere_is_neither_signed_nor_sent(self):
        with Recorder() as ours, Recorder() as theirs:
            for way, sender in self.both_ways(signer(ours)):
                with self.subTest(way), self.assertRaises(ForeignOrigin):
                    sender.get(theirs.url + "/p")
            self.assertEqual(theirs.received, [])

    def test_a_url_that_parsers_read_differently_goes_to_our_host_or_nowhere(self):
        with Recorder() as ours, Recorder() as theirs:
            own, other = ours.url[len("http://") :], theirs.url[len("http://") :]
            for way, sender in self.both_ways(signer(ours)):
                for url in (f"http://{own}\\@{other}/p", f"http://{own}@{other}/p", f"http://{other}#@{own}/"):
                    with self.subTest(way=way, url=url):
                        try:
                            sender.get(url)
                        except (SigningError, requests.RequestException):
                            continue
                        ours.received[-1].verify()
            self.assertEqual(theirs.received, [])

    def test_the_session_signs_a_redirect_on_the_same_host(self):
        moved = {"location": "/other?a=1"}
        with Recorder([(307, moved), (200, {}), (303, moved)]) as recorder:
            sender = self.session(signer(recorder))
            sender.patch(recorder.url + "/p", data=b"{}")
            sender.patch(recorder.url + "/p", data=b"{}")
            for received in recorder.received:
                received.verify()
            self.assertEqual([it.method for it in recorder.received], ["PATCH", "PATCH", "PATCH", "GET"])
            self.assertEqual(len({it.nonce for it in recorder.received}), 4)

    def test_the_session_does_not_follow_to_another_host(self):
        with Recorder() as theirs, Recorder([(307, {"location": theirs.url + "/p"})]) as ours:
            with self.assertRaises(ForeignOrigin):
                self.session(signer(ours)).patch(ours.url + "/p", data=b"{}")
            self.assertEqual(theirs.received, [])

    def test_the_plain_auth_carries_no_signature_to_another_host(self):
        with Recorder() as theirs, Recorder([(307, {"location": theirs.url + "/p"})]) as ours:
            self.with_auth(signer(ours)).get(ours.url + "/p")
            (received,) = theirs.received
            self.assertNotIn("authorization", received.headers)

    def test_netrc_takes_no_signatures_place(self):
        with Recorder([(307, {"location": "/other"})]) as recorder:
            with mock.patch("requests.sessions.get_netrc_auth", return_value=("ada", "pass")):
                self.session(signer(recorder)).get(recorder.url + "/p")
            for received in recorder.received:
                received.verify()

    def test_a_session_is_neither_pickled_nor_copied(self):
        made = self.session(Signer(ACCESS_KEY, SECRET_KEY, "http://127.0.0.1"))
        for leak in (pickle.dumps, copy.deepcopy):
            with self.subTest(leak.__name__), self.assertRaisesRegex(TypeError, "a session that signs"):
                leak(made)

    def test_the_secret_is_in_no_repr(self):
        made = Signer(ACCESS_KEY, SECRET_KEY, "http://127.0.0.1")
        shown = repr(SigningAuth(made)) + repr(vars(SigningAdapter(made))) + repr(vars(session(made)))
        self.assertNotIn(SECRET_KEY, shown)
