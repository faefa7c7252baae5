"""What a proxy must not change: answers through nginx and HAProxy equal the direct ones."""

import json
import secrets
import socket
import subprocess
import threading
import time

from stack import Front
from wire import exchange, raw, signature, signed_headers

INFO = "/organizations/info"
LIMIT = 65536

# Signed as sent. `None`: the direct answer decides; else it must also have this status.
TARGETS = [
    (INFO, 200),
    ("/service-accounts", 403),
    ("/accounts?page=1&quantity=20", None),
    ("/accounts?quantity=20&page=1", None),
    ("/accounts?page=%31", None),
    ("/accounts?order_by=-created_at&account_id=", None),
    ("/accounts?page=1&page=2", None),
    ("/accounts?page=1&", None),
    ("/accounts?x=//../%2e%2e/", None),
    ("/accounts?a=%zz", None),
    ("/accounts?a+b=c%20d", None),
    ("/accounts?" + "&".join(f"a{n}=1" for n in range(17)), None),
    (INFO + "?", 400),
    (INFO + "/", 400),
    ("/" + INFO, 400),
    ("/organizations//info", 400),
    ("/organizations/./info", 400),
    ("/organizations/../organizations/info", 400),
    ("/../organizations/info", 400),
    ("/organizations%2Finfo", 400),
    ("/organizations%2finfo", 400),
    ("/organizations/%69nfo", 400),
    ("/organizations/info%00", 400),
    ("/organizations/info%5C", 400),
    ("/organizations\\info", 400),
    ("/organizations/info;x=1", 400),
    ("/organizations/info#part", 400),
    ("/organizations/%zz", 400),
    ("/organizations/inf\xc3\xb6", 400),
    ("/service-accounts/..%2f..%2forganizations", 400),
    ("/nothing/here", 404),
    ("/service-accounts/sa-00000000000000000000000000", None),
]

SPOOFED = [
    [],
    [("x-forwarded-for", "203.0.113.9")],
    [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "203.0.113.9, 127.0.0.1")],
    [("X-FORWARDED-FOR", "127.0.0.1")],
    [("forwarded", "for=203.0.113.9"), ("x-real-ip", "203.0.113.9"), ("x-forwarded-host", "evil.test")],
    [("connection", "x-forwarded-for, x-nonce"), ("x-forwarded-for", "203.0.113.9")],
]


class Checks:
    def __init__(self, stack):
        self.stack, self.tried, self.failures, self.refused_by_proxy = stack, 0, [], {}

    def group(self, title, before):
        print(f"  {title}: {self.tried - before} checks")

    def expect(self, what, right, seen=""):
        self.tried += 1
        if not right:
            self.failures.append(what)
            print(f"  FAILED {what}: {seen}")

    def same(self, what, ask, status=None):
        """Asks each front; `ask(front)` signs anew."""
        direct, *others = [(front.name, ask(front)) for front in self.stack.fronts]
        if status is not None:
            self.expect(f"{what}: direct {status}", direct[1].status == status, direct[1].body[:300])
        for name, answer in others:
            if answer is None:
                self.expect(f"{what}: {name}", False, "no answer")
            elif answer.status == 400 == direct[1].status and "x-content-type-options" not in answer.headers:
                # The proxy itself found it malformed: the same status, in the proxy's words.
                self.tried += 1
                self.refused_by_proxy[name] = self.refused_by_proxy.get(name, 0) + 1
            else:
                self.expect(f"{what}: {name}", answer.comparable() == direct[1].comparable(),
                            f"{answer.comparable()} instead of {direct[1].comparable()}")


def vectors(checks, path):
    before = checks.tried
    document = json.loads(path.read_text())
    for case in document["cases"]:
        parts = [case[name] for name in ("method", "path", "query", "x-date", "x-nonce", "x-content-sha256")]
        checks.expect(f"vector {case['name']}", signature(document["secret_key"], *parts) == case["signature"])
    checks.group("signing vectors", before)


def targets(checks):
    before, key = checks.tried, checks.stack.key
    for method in ("GET", "HEAD"):
        for target, status in TARGETS:
            def ask(front):
                return exchange(front, method, target, signed_headers(key, method, target))
            checks.same(f"{method} {target[:60]!r}", ask, status)
    for method in ("DELETE", "PUT", "OPTIONS", "POST"):
        checks.same(f"{method} {INFO}", lambda front: exchange(front, method, INFO, signed_headers(key, method, INFO)))
    other = "/accounts?page=1"
    checks.same("signed for another query", lambda front: exchange(
        front, "GET", other, signed_headers(key, "GET", other, signed_target="/accounts")), 401)
    checks.same("unsigned", lambda front: exchange(front, "GET", INFO), 401)
    checks.same("stale if-match", lambda front: exchange(
        front, "GET", INFO, [*signed_headers(key, "GET", INFO), ("if-match", '"0"')]), 412)
    long = [("x-filler", "a" * 7000)] * 2
    checks.same("14 KB of headers", lambda front: exchange(
        front, "GET", INFO, signed_headers(key, "GET", INFO) + long), 200)
    checks.same("descriptions", lambda front: exchange(front, "GET", "/openapi.json"), 200)
    checks.group("targets, methods, headers", before)
    print(f"    400 by the proxy itself where Charter says 400, too: {checks.refused_by_proxy}")


def bodies(checks):
    before, key = checks.tried, checks.stack.key
    sizes = [(LIMIT, False, 200), (LIMIT, True, 200), (LIMIT + 1, False, 413), (LIMIT + 1, True, 413)]
    for size, chunked, status in [*sizes, (10 * LIMIT, False, 413)]:
        body = b'{"name":"Acme Corporation"}'.ljust(size)
        signed = {}
        def ask(front):
            signed["headers"] = signed_headers(key, "PATCH", INFO, body)
            answer = exchange(front, "PATCH", INFO, signed["headers"], body, chunked)
            if answer is not None and answer.status == 413:  # the words may differ, the shape may not
                answer.body, answer.headers = json.dumps({"code": answer.code()}), {}
            elif answer is not None:  # each write has another etag and time
                answer.headers.pop("etag", None)
                answer.body = json.dumps(json.loads(answer.body).get("name"))
            return answer
        checks.same(f"PATCH of {size} bytes{', chunked' if chunked else ''}", ask, status)
    body = b'{"name":"Acme"}'
    checks.same("another body than was signed", lambda front: exchange(
        front, "PATCH", INFO, signed_headers(key, "PATCH", INFO, b'{"name":"Evil"}'), body), 401)
    checks.group("bodies", before)


def client_addresses(checks):
    """Keys that are good from one address only show which address Charter believes."""
    before, stack = checks.tried, checks.stack
    direct = stack.fronts[0]

    def post(target, document, status=201):
        body = json.dumps(document).encode()
        answer = exchange(direct, "POST", target, signed_headers(stack.manager, "POST", target, body), body)
        checks.expect(f"POST {target}", answer.status == status, answer.body)
        return json.loads(answer.body)

    account = post("/service-accounts", {"name": "Addresses", "permissions": ["organizations:GetOrganization"]})["id"]
    keys = {}
    for address in ("127.0.0.7", "127.0.0.1", "203.0.113.9"):
        made = post(f"/service-accounts/{account}/keys", {"ip_allowlist": [address]})
        keys[address] = made["access_key"], made["secret_key"]
    for front in stack.fronts[1:]:
        for spoofed in SPOOFED:
            for address, key in keys.items():
                answer = exchange(front, "GET", INFO, signed_headers(key, "GET", INFO) + spoofed)
                right = (200, None) if address == "127.0.0.7" else (401, "IP_NOT_ALLOWED")
                checks.expect(f"{front.name}: key of {address}, {spoofed}", (answer.status, answer.code()) == right,
                              (answer.status, answer.code()))
    checks.group("spoofed client addresses", before)


def framing(checks):
    """Charter never serves more requests than the client is given answers."""
    before, stack = checks.tried, checks.stack
    hidden = b"GET /hidden HTTP/1.1\r\nhost: charter.test\r\n\r\n"
    start = b"POST /api/auth/login HTTP/1.1\r\nhost: charter.test\r\ncontent-type: application/json\r\n"
    length = b"content-length: %d\r\n" % (len(hidden) + 5)
    attempts = {
        "length and chunked": start + length + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        "two lengths": start + b"content-length: 0\r\n" + length + b"\r\n12345" + hidden,
        "signed length": start + b"content-length: +5\r\n\r\n12345" + hidden,
        "unknown coding": start + length + b"transfer-encoding: xchunked\r\n\r\n12345" + hidden,
        "space before the colon": start + b"transfer-encoding : chunked\r\n" + length + b"\r\n0\r\n\r\n" + hidden,
        "folded coding": start + b"transfer-encoding:\r\n chunked\r\n" + length + b"\r\n0\r\n\r\n" + hidden,
        "two hosts": b"GET /openapi.json HTTP/1.1\r\nhost: a.test\r\nhost: b.test\r\n\r\n",
        "no host": b"GET /openapi.json HTTP/1.1\r\n\r\n",
    }
    for front in stack.fronts[1:]:
        for name, data in attempts.items():
            served = stack.served()
            received, answers = raw(front, data)
            more = stack.served() - served
            checks.expect(f"{front.name}: {name}", more <= answers and not received.startswith(b"HTTP/1.1 2"),
                          f"{more} served, {answers} answered, {received[:80]!r}")
    checks.group("framing", before)


def http2(checks):
    before, stack = checks.tried, checks.stack
    cases = [("GET", target, b"") for target in (INFO, "/accounts?page=1&quantity=20", "//organizations/info", INFO + "?",
             "/organizations/../organizations/info", "/organizations%2Finfo", "/nothing")]
    cases += [("HEAD", INFO, b""), ("PATCH", INFO, b'{"name":"Acme Corporation"}'.ljust(LIMIT)),
              ("PATCH", INFO, b'{"name":"A"}'.ljust(LIMIT + 1))]
    too_large = ("2 413", "PAYLOAD_TOO_LARGE")  # some versions of curl do not see the direct one
    for method, target, body in cases:
        answers = []
        for front in stack.fronts:
            command = ["curl", "-sk", "--max-time", "10", "--interface", "127.0.0.7", "-o", "-",
                       "-w", "\n%{http_version} %{http_code}", "--http2" if front.tls else "--http2-prior-knowledge", "--path-as-is", "--request-target", target]
            command += ["-I"] if method == "HEAD" else ["-X", method]
            for name, value in signed_headers(stack.key, method, target, body):
                command += ["-H", f"{name}: {value}"]
            if body:
                command += ["-H", "content-type: application/json", "--data-binary", "@-"]
            done = subprocess.run([*command, front.url()], input=body, capture_output=True)
            text, _, version_and_status = done.stdout.decode(errors="replace").rpartition("\n")
            try:
                text = json.loads(text).get("error", {"code": "none"})["code"]
            except ValueError:
                text = ""
            answers.append((version_and_status, text))
        for front, answer in zip(stack.fronts[1:], answers[1:]):
            if len(body) > LIMIT:
                answers[0] = too_large
            right = answer == answers[0] and answer[0].startswith("2 ")
            refused = answers[0][0] == answer[0] == "2 400"
            checks.expect(f"HTTP/2 {method} {target} {len(body)}: {front.name}", right or refused, f"{answer} for {answers[0]}")
    checks.group("HTTP/2", before)


def tokens_of_links(checks, whether):
    """The pages that mails link to are in the logs, their tokens are not; see `logged_tokens`."""
    for front in checks.stack.fronts[whether == "stopped":]:
        for page in ("/verify-email", "/reset-password", "/accept-invitation"):
            token = secrets.token_urlsafe(32)
            checks.stack.tokens.append(token)
            referer = [("referer", f"https://charter.test{page}?token={token}")]
            answer = exchange(front, "GET", f"{page}?token={token}", referer)
            checks.expect(f"{front.name}: {page} {whether}", answer is not None)
    if any(front.name == "nginx" for front in checks.stack.fronts):
        raw(Front("redirect", checks.stack.redirect_port, False), f"GET /verify-email?token={token} HTTP/1.1\r\nhost: a\r\n\r\n".encode())


def logged_tokens(checks):
    before, directory = checks.tried, checks.stack.directory
    logs = {path.name: path.read_text(errors="replace") for path in directory.glob("*.log")}
    for name, text in logs.items():
        checks.expect(f"{name}: no token of a link", not any(token in text for token in checks.stack.tokens))
    for front in checks.stack.fronts[1:]:
        name = "nginx-access.log" if front.name == "nginx" else f"{front.name}.log"
        checks.expect(f"{name}: the page of a link", '"GET /verify-email HTTP/' in logs[name], logs[name][-300:])
    checks.group("tokens of links in logs", before)


def stopping(checks):
    """While Charter drains it is still served; its own 503 passes; afterwards the proxies answer in its shape."""
    before, stack = checks.tried, checks.stack
    with socket.create_connection(("127.0.0.1", stack.main)) as held:
        held.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        held.recv(4096)
        stack.stop_charter()
        time.sleep(1.5)  # HAProxy's check has noticed
        checks.expect("drain: readyz of operators", stack.ops_get("/readyz")[0] == 503)
        checks.same("drain: readyz", lambda front: exchange(front, "GET", "/readyz"), 503)
        checks.same("drain: signed", lambda front: exchange(front, "GET", INFO, signed_headers(stack.key, "GET", INFO)), 200)
    checks.expect("exit code 0", stack.charter.wait(30) == 0)
    for front in stack.fronts[1:]:
        answer = exchange(front, "GET", INFO, signed_headers(stack.key, "GET", INFO))
        checks.expect(f"{front.name}: stopped", (answer.status, answer.code()) == (503, "UNAVAILABLE")
                      and "retry-after" in answer.headers and "x-request-id" in answer.headers, (answer.status, answer.body))
    checks.group("stopping", before)


def nothing_is_sent_twice(checks):
    """In Charter's place, a server that hangs up: on a new connection, and on one that was kept."""
    before, stack, received = checks.tried, checks.stack, []
    listener = socket.create_server(("127.0.0.1", stack.main))

    def serve(connection):
        with connection:
            connection.settimeout(5)
            try:
                while (data := connection.recv(65536)).startswith(b"GET /kept "):
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                if data:
                    received.append(data)
            except OSError:
                pass

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    for front in stack.fronts[1:]:
        for method in ("GET", "HEAD", "PUT", "DELETE", "POST"):
            for kept in (False, True):
                if kept:
                    checks.expect(f"{front.name}: kept", exchange(front, "GET", "/kept").status == 200)
                received.clear()
                answer = exchange(front, method, INFO)
                checks.expect(f"{front.name}: {method} is sent once{', on a kept connection' if kept else ''}",
                              len(received) == 1 and answer.status in (502, 503), (len(received), answer.status))
    listener.close()
    checks.group("no retries", before)


def run(checks, vector_file):
    vectors(checks, vector_file)
    for part in (targets, bodies, client_addresses, framing, http2):
        part(checks)
    tokens_of_links(checks, "served")


def run_to_the_end(checks):
    """Charter has ended afterwards."""
    stopping(checks)
    tokens_of_links(checks, "stopped")
    nothing_is_sent_twice(checks)
    logged_tokens(checks)
