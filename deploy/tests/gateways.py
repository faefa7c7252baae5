"""nginx, HAProxy and, where it is installed, Envoy in front of a service.

The service has no code of its own for signatures, tokens or permissions. What is refused must not reach it, and
what reaches it must be what Charter judged.
"""

import contextlib
import json
import socket
import threading

from gateway_stack import ALL, HANG_UP, HOST, ONE, SILENT, TOKEN, Gateways
from wire import exchange, raw, signed_headers

__all__ = ["Gateways", "can_run", "run"]


def can_run(absent):
    return not {"nginx", "haproxy", "curl", "openssl"} & set(absent)


def header_values(received, name):
    return [value for found, value in received["headers"] if found == name]


def passes(checks, gateway, front):
    """What is allowed arrives as it was sent, with who sent it."""
    for method, target in [("GET", ONE), ("GET", ALL + "?page=1&x=a%2Fb"), ("GET", "/invoices/a%3Ab"), ("HEAD", ONE)]:
        answer, received = gateway.ask(front, method, target, signed_headers(gateway.reader, method, target))
        seen = [(each["method"], each["target"]) for each in received]
        checks.expect(f"{front.name}: {method} {target}", answer.status == 200 and seen == [(method, target)],
                      (answer.status, answer.body, seen))
        for each in received:
            checks.expect(f"{front.name}: the subject", header_values(each, "x-charter-subject") == [gateway.reader_id],
                          each)
            checks.expect(f"{front.name}: no credential goes on", not header_values(each, "authorization"), each)
    for size in (2, 60_000):
        body = b'{"total":7}'.ljust(size)
        answer, received = gateway.ask(front, "POST", ALL, signed_headers(gateway.writer, "POST", ALL, body), body)
        checks.expect(f"{front.name}: POST of {size} bytes", answer.status == 200 and received[0]["taken"],
                      (answer.status, answer.body))
    bearer = [("authorization", f"Bearer {gateway.token}")]
    answer, received = gateway.ask(front, "DELETE", ONE, bearer)
    checks.expect(f"{front.name}: a person", answer.status == 200 and len(received) == 1, (answer.status, answer.body))


def stripped(checks, gateway, front):
    """What a client sends under the gateway's names, or to be read as another request, does not arrive."""
    lies = [
        ("x-charter-subject", "sa-liar"), ("X-Charter-Subject", "sa-liar"), ("x-charter-organization", "org-liar"),
        ("x-charter-decision", "dec-liar"), ("x-charter-account", "acc-liar"), ("x-charter-role", "liar"), ("x-charter-authorization", f"Bearer {TOKEN}"),
        ("x_charter_subject", "sa-liar"), ("x-forwarded-method", "LIAR"), ("x-forwarded-uri", "/liar"),
        ("x-forwarded-for", "203.0.113.99"), ("x-forwarded-host", "liar"), ("x-forwarded-port", "liar"),
        ("x-forwarded-server", "liar"), ("x-forwarded-user", "liar"), ("x-forwarded-groups", "liar"),
        ("x-forwarded-ssl", "liar"), ("x-forwarded-path", "/liar"), ("upgrade", "liar"), ("http2-settings", "liar"), ("forwarded", "for=203.0.113.99;host=liar"),
        ("x-http-method-override", "LIAR"), ("x-http-method", "LIAR"), ("x-method-override", "LIAR"),
        ("x-original-url", "/liar"), ("x-original-uri", "/liar"), ("x-rewrite-url", "/liar"),
        ("connection", "x-charter-subject, x-content-sha256, close"), ("te", "liar"), ("keep-alive", "liar"),
    ]
    if front.name == "envoy":  # refuses names with `_`, and a hash that `connection` names
        lies = [lie for lie in lies if lie[0] not in ("x_charter_subject", "connection")]
    needed = [("user-agent", "client/1"), ("if-match", '"1"')]
    answer, received = gateway.ask(front, "GET", ONE, signed_headers(gateway.reader, "GET", ONE) + needed + lies)
    checks.expect(f"{front.name}: lies pass with the truth", answer.status == 200 and len(received) == 1,
                  (answer.status, answer.body))
    for each in received:
        checks.expect(f"{front.name}: the request is the one that was judged",
                      (each["method"], each["target"]) == ("GET", ONE), each)
        lying = [(name, value) for name, value in each["headers"]
                 if any(lie in value.lower() for lie in ("liar", "203.0.113.99", TOKEN))]
        checks.expect(f"{front.name}: nothing of a lie arrives", not lying, lying)
        named = [value for value in header_values(each, "connection") if "x-" in value]
        checks.expect(f"{front.name}: `connection` names none of ours", not named, named)
        checks.expect(f"{front.name}: what the service needs arrives", header_values(each, "user-agent") == ["client/1"]
                      and header_values(each, "if-match") == ['"1"'], each)
        checks.expect(f"{front.name}: one subject", header_values(each, "x-charter-subject") == [gateway.reader_id], each)
        checks.expect(f"{front.name}: the hash arrives", len(header_values(each, "x-content-sha256")) == 1, each)


def attacks(gateway):
    """Name, what is sent, and the answers that refuse it."""
    reader, writer = gateway.reader, gateway.writer
    get = lambda target=ONE, key=reader: signed_headers(key, "GET", target)  # noqa: E731
    without = lambda name, headers: [pair for pair in headers if pair[0] != name]  # noqa: E731
    doubled = lambda name, headers: headers + [pair for pair in headers if pair[0] == name]  # noqa: E731
    body, other = b'{"total":7}', b'{"total":8}'
    post = lambda: signed_headers(writer, "POST", ALL, body)  # noqa: E731
    replayed = get()
    return [
        ("no credentials", "GET", ONE, [], b"", 401),
        ("another key's secret", "GET", ONE, get(key=(reader[0], writer[1])), b"", 401),
        ("a token that is none", "GET", ONE, [("authorization", "Bearer x.y.z")], b"", 401),
        ("the gateway's own token", "GET", ONE, [("authorization", f"Bearer {TOKEN}"),
                                                ("x-charter-authorization", f"Bearer {TOKEN}")], b"", 401),
        ("a replay: first", "GET", ONE, replayed, b"", 200),
        ("a replay", "GET", ONE, replayed, b"", 401),
        ("another method than was signed", "DELETE", ONE, get(), b"", 401),
        ("another method, and the signed one beside it", "DELETE", ONE,
         get() + [("x-forwarded-method", "GET"), ("x-http-method-override", "GET")], b"", 401),
        ("another path than was signed", "GET", "/invoices/8", get(), b"", 401),
        ("another path, and the signed one beside it", "GET", "/invoices/8",
         get() + [("x-forwarded-uri", ONE), ("x-original-url", ONE)], b"", 401),
        ("another query than was signed", "GET", ALL + "?all=true", get(ALL), b"", 401),
        ("a method that policy does not allow", "DELETE", ONE, signed_headers(reader, "DELETE", ONE), b"", 403),
        ("a method in lower case", "get", ONE, signed_headers(reader, "get", ONE), b"", (400, 401)),
        ("a path without a route", "GET", "/admin", get("/admin"), b"", 403),
        ("the gateway's own location", "GET", "/.charter", get("/.charter"), b"", (403, 404)),
        ("two credentials", "GET", ONE, doubled("authorization", get()), b"", (400, 401)),
        ("a signature and a token", "GET", ONE, get() + [("authorization", f"Bearer {gateway.token}")], b"", (400, 401)),
        ("two dates", "GET", ONE, doubled("x-date", get()), b"", 401),
        ("two nonces", "GET", ONE, doubled("x-nonce", get()), b"", 401),
        ("two hashes", "GET", ONE, doubled("x-content-sha256", get()), b"", 401),
        ("two hashes and a token", "GET", ONE,
         [("authorization", f"Bearer {gateway.token}"), get()[3], ("x-content-sha256", "a" * 64)], b"", 401),
        ("no hash", "GET", ONE, without("x-content-sha256", get()), b"", 401),
        ("an encoded slash", "GET", "/invoices%2F7", get("/invoices%2F7"), b"", 403),
        ("an encoded backslash", "GET", "/invoices%5C7", get("/invoices%5C7"), b"", 403),
        ("a dot segment", "GET", "/admin/../invoices/7", get("/admin/../invoices/7"), b"", (400, 403)),
        ("an encoded dot segment", "GET", "/admin/%2e%2e/invoices/7", get("/admin/%2e%2e/invoices/7"), b"", (400, 403)),
        ("a doubled slash", "GET", "//invoices/7", get("//invoices/7"), b"", 403),
        ("a trailing slash", "GET", "/invoices/7/", get("/invoices/7/"), b"", 403),
        ("a path parameter", "GET", "/invoices/7;a=/../8", get("/invoices/7;a=/../8"), b"", 403),
        ("an escape of a plain letter", "GET", "/%69nvoices/7", get("/%69nvoices/7"), b"", 403),
        ("bytes that are no ASCII", "GET", "/invoices/\xc3\xb6", get("/invoices/\xc3\xb6"), b"", (400, 403)),
        ("a fragment", "GET", "/invoices#/7", get("/invoices#/7"), b"", (400, 403)),
        ("a body that differs", "POST", ALL, post(), other, 401),
        ("a body where none was signed", "POST", ALL, signed_headers(writer, "POST", ALL), other, 401),
        ("a body that is longer", "POST", ALL, post(), body + b" ", 401),
        ("a key of another address, which is claimed", "GET", ONE,
         get(key=gateway.bound) + [("x-forwarded-for", "203.0.113.9"), ("x-real-ip", "203.0.113.9")], b"", 401),
    ]


def refused(checks, gateway, front):
    tried = 0
    for name, method, target, headers, body, statuses in attacks(gateway):
        answer, received = gateway.ask(front, method, target, headers, body)
        statuses = statuses if isinstance(statuses, tuple) else (statuses,)
        status = answer.status if answer else None
        if 200 in statuses:
            checks.expect(f"{front.name}: {name}", status == 200, status)
            continue
        tried += 1
        served = [each for each in received if each["taken"]]
        checks.expect(f"{front.name}: {name}", status in statuses and not served, (status, served))
        if status in (401, 403) and not received:
            checks.expect(f"{front.name}: {name}: the error's shape", answer.code() is not None, answer.body)
            checks.expect(f"{front.name}: {name}: a challenge with a 401",
                          ("www-authenticate" in answer.headers) == (status == 401), answer.headers)
    checks.expect(f"{front.name}: at least 20 attacks", tried >= 20, tried)

    hosts = [("another host", "admin.example.com"), ("no known host", "127.0.0.1"),
             ("a list of hosts", f"admin.example.com, {HOST}"), ("another list of hosts", f"{HOST},admin.example.com")]
    for name, host in hosts:
        with contextlib.suppress(OSError):
            answer, received = gateway.ask(front, "GET", ONE, signed_headers(gateway.reader, "GET", ONE), host=host)
            checks.expect(f"{front.name}: {name}", answer is None or answer.status in (400, 404, 421), answer and answer.status)
            if answer and answer.status == 421:
                checks.expect(f"{front.name}: {name}: the code", answer.code() == "BAD_HOST", answer.body)
        checks.expect(f"{front.name}: {name} is not served", not gateway.service.received, gateway.service.received)
    for name, lines in [("two hosts", f"host: {HOST}\r\nhost: admin.example.com\r\n"),
                        ("a length and chunks", f"host: {HOST}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n")]:
        gateway.service.received.clear()
        signed = "".join(f"{key}: {value}\r\n" for key, value in signed_headers(gateway.writer, "POST", ALL))
        data = f"POST {ALL} HTTP/1.1\r\n{lines}{signed}\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nhost: {HOST}\r\n\r\n"
        raw(front, data.encode())
        smuggled = [each for each in gateway.service.received if each["target"] == "/admin" or name == "two hosts"]
        checks.expect(f"{front.name}: {name}", not smuggled, smuggled)


def absolute_targets(checks, gateway, front):
    """Behind the gateway a target has no host of its own."""
    for name, host in [("its host", HOST), ("another host", "admin.example.com")]:
        gateway.service.received.clear()
        signed = "".join(f"{key}: {value}\r\n" for key, value in signed_headers(gateway.reader, "GET", ONE))
        raw(front, f"GET http://{host}{ONE} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n{signed}\r\n".encode())
        targets = [each["target"] for each in gateway.service.received]
        checks.expect(f"{front.name}: a target with {name}", set(targets) <= {ONE}, targets)


def trailers(checks, gateway, front):
    """Headers at the end of a body are nobody's."""
    body = b'{"total":7}'
    for name, sent in [("a body", body), ("an empty body", b"")]:
        gateway.service.received.clear()
        signed = "".join(f"{key}: {value}\r\n" for key, value in signed_headers(gateway.writer, "POST", ALL, sent))
        chunk = b"%x\r\n%s\r\n" % (len(sent), sent) if sent else b""
        head = f"POST {ALL} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n{signed}\r\n"
        raw(front, head.encode() + chunk + b"0\r\nx-charter-subject: liar\r\nx-more: liar\r\n\r\n")
        lying = [pair for each in gateway.service.received for pair in each["headers"] if "liar" in pair[1]]
        checks.expect(f"{front.name}: trailers of {name}", not lying, lying)


def request_ids(checks, gateway, front):
    """A well-formed id is kept; what is none gets nowhere."""
    kept, _ = gateway.ask(front, "GET", ONE, [("x-request-id", "r-7.x")])
    checks.expect(f"{front.name}: a request id is kept", kept.headers.get("x-request-id") == "r-7.x", kept.headers)
    for lie in ('a","code":"LIAR', "<b>", "a b", "x" * 129):
        answer, _ = gateway.ask(front, "GET", ONE, [("x-request-id", lie)])
        told = json.loads(answer.body)["error"]
        checks.expect(f"{front.name}: request id {lie[:20]}", answer.status == 401 and "LIAR" not in str(told)
                      and told["request_id"] != lie and answer.headers.get("x-request-id") != lie, answer.body)


def over_the_limits(checks, front):
    """A head and a body over the limits are refused in the one error shape."""
    for name, headers, body, status, code in [
        ("a head of 40 KiB", [(f"x-more-{at}", "x" * 4000) for at in range(10)], b"", 400, "INVALID_REQUEST"),
        ("a body of 70,000 bytes", [], b"x" * 70_000, 413, "PAYLOAD_TOO_LARGE"),
    ]:
        answer = exchange(front, "POST", ALL, headers, body, host=HOST)
        checks.expect(f"{front.name}: {name}", (answer.status, answer.code()) == (status, code),
                      (answer.status, answer.body))


def told(answer):
    """Status, code, and what the message says of the request."""
    message = json.loads(answer.body)["error"]["message"] if answer.code() else ""
    outcome = "unknown" if "is unknown" in message else "try again" if "try again" in message else message
    return answer.status, answer.code(), outcome


def failing_service(checks, gateway):
    """A client hears that the outcome is unknown when the service had the request, and only then."""
    def delete(front, target):
        return gateway.ask(front, "DELETE", target, signed_headers(gateway.writer, "DELETE", target))

    for front in gateway.fronts:
        for target, status in [(HANG_UP, 502), (SILENT, 504)]:
            answer, received = delete(front, target)
            checks.expect(f"{front.name}: the service acts, and does not answer: {target}", len(received) == 1
                          and told(answer) == (status, "UNAVAILABLE", "unknown"), (answer.status, answer.body, received))
    gateway.stop_service()
    for front in gateway.fronts:
        answer, _ = delete(front, ONE)
        checks.expect(f"{front.name}: the service is down", told(answer) == (503, "UNAVAILABLE", "try again")
                      and answer.headers.get("retry-after") == "1", (answer.status, answer.body, answer.headers))
    gateway.start_service()


def without_charter(checks, gateway):
    """Nobody who cannot be asked about passes."""
    def nobody_passes(why):
        for front in gateway.fronts:
            answer, received = gateway.ask(front, "GET", ONE, signed_headers(gateway.reader, "GET", ONE))
            checks.expect(f"{front.name}: Charter {why}", (answer.status, answer.code()) == (503, "UNAVAILABLE")
                          and "is unknown" not in answer.body.decode() and not received,
                          (answer.status, answer.body, received))

    gateway.stop_charter()
    gateway.charter.wait(30)
    nobody_passes("is down")
    with socket.create_server(("127.0.0.1", gateway.access)) as listener:
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        nobody_passes("hangs up")


def hang_up(listener):
    """On everyone who has asked."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)


def run(checks, gateway):
    before = checks.tried
    print("gateways: " + ", ".join(front.name for front in gateway.fronts))
    for front in gateway.fronts:
        passes(checks, gateway, front)
        stripped(checks, gateway, front)
        refused(checks, gateway, front)
        absolute_targets(checks, gateway, front)
        trailers(checks, gateway, front)
        if front.name != "envoy":  # which makes its own
            request_ids(checks, gateway, front)
    over_the_limits(checks, gateway.fronts[0])
    failing_service(checks, gateway)
    without_charter(checks, gateway)
    checks.group("a service behind " + ", ".join(front.name for front in gateway.fronts), before)
