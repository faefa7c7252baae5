"""A server that records what is on the wire, a running service, and what to do when one is missing."""

import base64
import hashlib
import hmac
import http.server
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
VECTORS = json.loads((REPOSITORY / "signing/vectors/signing.json").read_text(encoding="utf-8"))
ACCESS_KEY = "sa_a1b2c3_d4e5f6_demo"
SECRET_KEY = VECTORS["secret_key"]


def skip_or_fail(reason):
    """Skips loudly, or fails where everything must be there."""
    if os.environ.get("CHARTER_REQUIRE_SERVICES") == "1":
        raise AssertionError(reason)
    print(f"SKIPPED: {reason}", file=sys.stderr, flush=True)
    raise unittest.SkipTest(reason)


def required(module):
    """A library that is not required for the package itself."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return skip_or_fail(f"the Python library `{module}` is not installed")


class Received:
    """One request as it came: the target of the request line, the headers, the body."""

    def __init__(self, line, headers, body):
        self.method, self.target, _ = line.split(" ")
        self.headers = headers
        self.body = body

    @property
    def nonce(self):
        return self.headers["x-nonce"]

    def verify(self):
        """Computes the signature anew, sharing no code with the package."""
        path, _, query = self.target.partition("?")
        sent_hash = hashlib.sha256(self.body).hexdigest()
        text = "\n".join(
            [self.method, path, query, self.headers["x-date"], self.nonce, sent_hash]
        )
        mac = hmac.new(SECRET_KEY.encode(), text.encode(), "sha256").digest()
        expected = f"HMAC {ACCESS_KEY}:{base64.b64encode(mac).decode()}"
        assert self.headers["x-content-sha256"] == sent_hash, f"hash of {self.target}"
        assert self.headers["authorization"] == expected, f"signature of {self.target}"


class Recorder:
    """Answers what `answers` says, in turn, then 200; keeps what it received."""

    def __init__(self, answers=()):
        self.received = []
        self._answers = list(answers)
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                recorder.received.append(Received(self.requestline, self.headers, self._body()))
                status, headers = recorder._answers.pop(0) if recorder._answers else (200, {})
                self.send_response(status)
                for name, value in {**headers, "content-length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def _body(self):
                if self.headers.get("transfer-encoding", "") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                body = b""
                while True:
                    size = int(self.rfile.readline(), 16)
                    body += self.rfile.read(size)
                    self.rfile.readline()
                    if size == 0:
                        return body

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        serve = lambda: self._server.serve_forever(poll_interval=0.01)  # noqa: E731
        threading.Thread(target=serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class Service:
    """`charter serve --demo` in a directory of its own; `CHARTER_BIN` names the binary."""

    _running = None

    @classmethod
    def running(cls):
        """The one service of this test run."""
        if cls._running is None:
            binary = os.environ.get("CHARTER_BIN")
            if not binary:
                skip_or_fail("`CHARTER_BIN` names no binary, nothing was tried on a running service")
            cls._running = cls(binary)
            unittest.addModuleCleanup(cls.stop)
        return cls._running

    @classmethod
    def stop(cls):
        if cls._running:
            cls._running._process.terminate()
            cls._running._process.wait()
            cls._running._process.stdout.close()
            cls._running._home.cleanup()
            cls._running = None

    def __init__(self, binary):
        self._home = tempfile.TemporaryDirectory()
        data = pathlib.Path(self._home.name, "data")
        log = pathlib.Path(self._home.name, "log")
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [binary, "serve", "--demo"],
                env={
                    "CHARTER__DATA_DIR": str(data),
                    "CHARTER__SERVER__LISTEN": "127.0.0.1:0",
                    "CHARTER__SERVER__OPS_LISTEN": "127.0.0.1:0",
                    "CHARTER__POLICIES__DIR": str(REPOSITORY / "policies"),
                },
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        for line in self._process.stdout:
            if line.startswith("charter listens on "):
                break
        else:
            raise AssertionError(f"the service did not start: {log.read_text()}")
        # Written before it listens.
        settings = re.findall(r"^export (\w+)='?([^'\n]*)'?$", (data / "demo.env").read_text(), re.M)
        self.environ = dict(settings)
        self.environ["CHARTER_BASE_URL"] = line.split()[3].rstrip(",")


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
