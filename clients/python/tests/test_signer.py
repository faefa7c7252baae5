"""The core: vectors, grammar, secrets."""

import copy
import pickle
import re
import unittest

from charter_signing import ForeignOrigin, MissingCredential, Signer, SigningError, string_to_sign

from .support import ACCESS_KEY, REPOSITORY, SECRET_KEY, VECTORS

BASE_URL = "https://charter.example.org"


def signer():
    return Signer(ACCESS_KEY, SECRET_KEY, BASE_URL)


class Package(unittest.TestCase):
    def test_the_package_has_the_project_s_licence(self):
        texts = [(REPOSITORY / path).read_text() for path in ("LICENSE", "clients/python/LICENSE")]
        self.assertEqual(*texts)


class Vectors(unittest.TestCase):
    def test_every_vector_is_signed_as_published(self):
        self.assertGreater(len(VECTORS["cases"]), 5)
        for case in VECTORS["cases"]:
            with self.subTest(case["name"]):
                target = case["path"] + ("?" + case["query"] if case["query"] else "")
                date, nonce = case["x-date"], case["x-nonce"]
                text = string_to_sign(case["method"], target, date, nonce, case["x-content-sha256"])
                self.assertEqual(text, case["string_to_sign"])
                headers = signer().sign(
                    case["method"], target, case["body"].encode(), date=date, nonce=nonce
                )
                self.assertEqual(
                    headers,
                    {
                        "authorization": f"HMAC {ACCESS_KEY}:{case['signature']}",
                        "x-date": date,
                        "x-nonce": nonce,
                        "x-content-sha256": case["x-content-sha256"],
                    },
                )


class Sign(unittest.TestCase):
    def test_each_attempt_has_another_nonce_and_the_date_of_now(self):
        made = [signer().sign("GET", "/p") for _ in range(100)]
        self.assertEqual(len({it["x-nonce"] for it in made}), 100)
        for headers in made:
            self.assertRegex(headers["x-nonce"], r"\A[0-9a-f]{32}\Z")
            self.assertRegex(headers["x-date"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")

    def test_what_could_make_the_text_ambiguous_is_refused(self):
        good = {"method": "GET", "target": "/p", "date": "2025-09-30T12:00:00Z", "nonce": "12345678"}
        signer().sign(**good)
        wrong = {
            "method": ["", "get", "GET\n", "GET /p"],
            "target": ["", "p", "/p?", "/a b", "/a\n", "/a#b", "/a\x7f", "/\x85", "?a=1"],
            "date": ["", "2025-09-30", "2025-09-30T12:00:00+00:00", "2025-09-30T12:00:00Z\n"],
            "nonce": ["", "1234567", "1" * 129, "1234567\n", "12345678\n", "12345678ä"],
        }
        for part, values in wrong.items():
            for value in values:
                with self.subTest(part=part, value=value), self.assertRaises(SigningError):
                    signer().sign(**{**good, part: value})

    def test_every_kind_of_bytes_is_a_body(self):
        once = {"date": "2025-09-30T12:00:00Z", "nonce": "12345678"}
        made = [signer().sign("POST", "/p", kind(b"{}"), **once) for kind in (bytes, bytearray, memoryview)]
        self.assertEqual(made[1:], made[:1] * 2)

    def test_text_is_no_body(self):
        with self.assertRaisesRegex(TypeError, "bytes"):
            signer().sign("POST", "/p", "{}")


class Credentials(unittest.TestCase):
    def test_the_secret_is_never_shown(self):
        made = signer()
        shown = [repr(made), str(made), f"{made}", repr([made])]
        shown += [repr(getattr(made, name)) for name in Signer.__slots__]
        for text in shown:
            self.assertNotIn(SECRET_KEY, text)
        self.assertIn(ACCESS_KEY, repr(made))
        for leak in (pickle.dumps, copy.deepcopy, vars):
            with self.subTest(leak.__name__), self.assertRaises(TypeError):
                leak(made)

    def test_the_environment_names_all_three(self):
        environ = {
            "CHARTER_ACCESS_KEY": ACCESS_KEY,
            "CHARTER_SECRET_KEY": SECRET_KEY,
            "CHARTER_BASE_URL": BASE_URL + "/",
        }
        made = Signer.from_env(environ)
        self.assertEqual((made.access_key, made.base_url), (ACCESS_KEY, BASE_URL))
        for name in environ:
            with self.assertRaisesRegex(MissingCredential, f"`{name}` is not set"):
                Signer.from_env({**environ, name: ""})

    def test_malformed_credentials_are_refused_without_showing_the_secret(self):
        for access_key in ("", "a:b", "a b", "a" * 129):
            with self.assertRaises(SigningError):
                Signer(access_key, SECRET_KEY, BASE_URL)
        for secret_key in ("", "sk_live_test\n", " sk_live_test", "sk_ä"):
            with self.assertRaises(SigningError) as refused:
                Signer(ACCESS_KEY, secret_key, BASE_URL)
            self.assertFalse(re.search("sk_", str(refused.exception)))

    def test_the_base_url_is_scheme_host_and_port(self):
        for base_url in (
            "",
            "charter.example.org",
            "ftp://charter.example.org",
            BASE_URL + "/v1",
            BASE_URL + "?a=1",
            BASE_URL + "#a",
            "https://user:password@charter.example.org",
            "https://charter.example.org:port",
            "https://[::1",
            "https://",
        ):
            with self.subTest(base_url), self.assertRaisesRegex(SigningError, "base URL"):
                Signer(ACCESS_KEY, SECRET_KEY, base_url)

    def test_other_origins_are_refused(self):
        made = signer()
        for own in (("https", "charter.example.org", None), ("HTTPS", "Charter.Example.ORG", 443)):
            made.require_own_origin(*own)
        for other, named in (
            (("http", "charter.example.org", 443), "http://charter.example.org:443"),
            (("https", "charter.example.org", 8443), "https://charter.example.org:8443"),
            (("https", "charter.example.org.evil.example", None), "https://charter.example.org.evil.example"),
            (("https", "evil.example", None), "https://evil.example"),
            (("https", "[::1]", 8443), "https://[::1]:8443"),
            (("https", "::1", 8443), "https://[::1]:8443"),
        ):
            with self.subTest(other), self.assertRaises(ForeignOrigin) as refused:
                made.require_own_origin(*other)
            self.assertIn(f"to `{named}`: these credentials are for `{BASE_URL}` only", str(refused.exception))
        Signer(ACCESS_KEY, SECRET_KEY, "http://[::1]:80").require_own_origin("http", "::1", None)


if __name__ == "__main__":
    unittest.main()
