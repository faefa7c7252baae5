"""Signed requests and HTTP/1.1 on the wire: bytes as given, nothing normalized."""

import base64
import datetime
import hashlib
import hmac
import json
import secrets
import socket
import ssl


def signature(secret, method, path, query, date, nonce, digest):
    text = "\n".join([method, path, query, date, nonce, digest])
    mac = hmac.new(secret.encode(), text.encode("latin-1"), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def signed_headers(key, method, target, body=b"", signed_target=None):
    path, _, query = (signed_target or target).partition("?")
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    nonce = secrets.token_hex(16)
    digest = hashlib.sha256(body).hexdigest()
    mac = signature(key[1], method, path, query, date, nonce, digest)
    return [
        ("authorization", f"HMAC {key[0]}:{mac}"),
        ("x-date", date),
        ("x-nonce", nonce),
        ("x-content-sha256", digest),
    ]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def document(self):
        try:
            document = json.loads(self.body)
        except ValueError:
            return self.body
        if isinstance(document, dict) and isinstance(document.get("error"), dict):
            for volatile in ("request_id", "decision_id", "string_to_sign"):
                document["error"].pop(volatile, None)
        return document

    def code(self):
        document = self.document()
        return document["error"]["code"] if isinstance(document, dict) and "error" in document else None

    def comparable(self):
        kept = ("content-type", "etag", "allow", "www-authenticate", "cache-control", "location", "content-length")
        headers = {name: self.headers.get(name) for name in kept}
        if self.code():  # ids in it are of different length at a proxy
            headers.pop("content-length")
        return self.status, headers, self.document()


def connect(address, tls, source):
    connection = socket.create_connection(address, timeout=10, source_address=(source, 0))
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        connection = context.wrap_socket(connection, server_hostname="localhost")
    return connection


def head(method, target, headers, host="charter.test"):
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def read_answer(stream, method):
    line = stream.readline()
    while line.startswith(b"HTTP/1.1 100"):
        while stream.readline().strip():
            pass
        line = stream.readline()
    if not line:
        return None
    status = int(line.split()[1])
    headers = {}
    while (header := stream.readline().strip()):
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        body = b""
        while (size := int(stream.readline(), 16)):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    else:
        body = stream.read(int(headers.get("content-length", 0)))
    return Answer(status, headers, body)


def exchange(front, method, target, headers=(), body=b"", chunked=False, source="127.0.0.7", host="charter.test"):
    headers = list(headers)
    if chunked:
        headers.append(("transfer-encoding", "chunked"))
        payload = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part) + b"0\r\n\r\n"
    else:
        payload = body
        if body or method in ("POST", "PUT", "PATCH"):
            headers.append(("content-length", str(len(body))))
    if body:
        headers.append(("content-type", "application/json"))
    with connect(front.address, front.tls, source) as connection:
        connection.sendall(head(method, target, headers, host))
        try:
            connection.sendall(payload)
        except OSError:
            pass  # answered and closed before it was all sent
        return read_answer(connection.makefile("rb"), method)


def raw(front, data, source="127.0.0.7"):
    """All that comes back for these bytes, and how many answers that is."""
    with connect(front.address, front.tls, source) as connection:
        connection.settimeout(2)
        connection.sendall(data)
        received = b""
        try:
            while (part := connection.recv(65536)):
                received += part
        except OSError:
            pass
    return received, received.count(b"HTTP/1.1 ")
