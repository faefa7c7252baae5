"""A small service, and the gateways that stand in front of it."""

import hashlib
import http.server
import json
import shutil
import threading

from stack import DEPLOY, ROOT, Stack, free_ports, program, replaced
from wire import exchange

TOKEN = "0123456789abcdef0123456789abcdef"
HOST = "billing.example.com"
ONE, ALL, HANG_UP, SILENT = "/invoices/7", "/invoices", "/invoices/hang-up", "/invoices/silent"
# How long the gateways wait for the service here.
PATIENCE = "3s"


class Billing(http.server.BaseHTTPRequestHandler):
    """Notes what it gets, and compares the body with its hash, as who has the body must."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        if self.path == SILENT:
            self.server.received.append({"method": self.command, "target": self.path, "headers": [], "taken": True})
            self.rfile.read(1)  # until the gateway has had enough
            self.close_connection = True
            return
        if self.path == HANG_UP:  # carries it out, and ends the connection without an answer
            self.server.received.append({"method": self.command, "target": self.path, "headers": [], "taken": True})
            self.close_connection = True
            return
        body = self.body()
        claimed = self.headers.get("x-content-sha256")
        right = claimed is None or claimed == hashlib.sha256(body).hexdigest()
        headers = [(name.lower(), value) for name, value in self.headers.items()] + self.trailers
        self.server.received.append({"method": self.command, "target": self.path, "headers": headers, "taken": right})
        text = json.dumps({"ok": right}).encode()
        self.send_response(200 if right else 401)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def body(self):
        self.trailers = []
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while (line := self.rfile.readline().strip()):
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers.append((name.lower(), value.strip()))
        return body

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        pass


class Gateways(Stack):
    def __init__(self, binary):
        super().__init__(binary)
        self.access, self.service_port = free_ports(2)
        self.start_service()

    def start_service(self):
        self.service = http.server.ThreadingHTTPServer(("127.0.0.1", self.service_port), Billing)
        self.service.received = []
        threading.Thread(target=self.service.serve_forever, daemon=True).start()

    def stop_service(self):
        self.service.shutdown()
        self.service.server_close()

    def __exit__(self, *arguments):
        self.stop_service()
        super().__exit__(*arguments)

    def start_all(self):
        policies = self.directory / "policies"
        shutil.copytree(ROOT / "policies", policies)
        domain = policies / "domains/gateway"
        shutil.copytree(ROOT / "examples/domains/gateway", domain)
        # The demo's organization is on the free plan; here it may write.
        rules = domain / "billing.cedar"
        rules.write_text(replaced(rules.read_text(), [(r'plan_tier == "free"', 'plan_tier == "none"')]))
        self.start_charter({
            "CHARTER__POLICIES__DIR": str(policies),
            "CHARTER__ACCESS__LISTEN": f"127.0.0.1:{self.access}",
            "CHARTER__ACCESS__TOKENS": f"gateway:{TOKEN}",
        })
        self.make_keys()
        self.make_certificate()
        self.fronts = []
        self.start_nginx_gateway()
        self.start_haproxy_gateway()
        if program("envoy"):
            self.start_envoy_gateway()

    def make_keys(self):
        """Of service accounts that read and that write, and one that is good from an address only."""
        direct = self.fronts[0]

        def post(target, document, token=None):
            headers = [("authorization", f"Bearer {token}")] if token else []
            answer = exchange(direct, "POST", target, headers, json.dumps(document).encode())
            if answer.status not in (200, 201):
                raise SystemExit(f"deploy/test: POST {target}: {answer.body}")
            return json.loads(answer.body)

        email, password = self.person
        self.token = post("/api/auth/login", {"email": email, "password": password})["access_token"]

        def key(role, **more):
            account = post("/service-accounts", {"name": role, "roles": [role]}, self.token)["id"]
            made = post(f"/service-accounts/{account}/keys", more, self.token)
            return account, (made["access_key"], made["secret_key"])

        self.reader_id, self.reader = key("member")
        _, self.writer = key("admin")
        _, self.bound = key("member", ip_allowlist=["203.0.113.9"])

    def start_nginx_gateway(self):
        here = self.directory / "nginx"
        here.mkdir()
        site = replaced((DEPLOY / "nginx/gateway.conf").read_text(), [
            (r"listen 443 ssl http2", f"listen 127.0.0.1:{self.nginx_port} ssl http2"),
            (r"/etc/nginx/gateway\.crt", str(self.directory / "charter.crt")),
            (r"/etc/nginx/gateway\.key", str(self.directory / "charter.key")),
            (r"http://127\.0\.0\.1:8000;", f"http://127.0.0.1:{self.service_port}; proxy_read_timeout {PATIENCE};"),
            (r"http://127\.0\.0\.1:9091/", f"http://127.0.0.1:{self.access}/"),
        ])
        self.add_front("nginx", self.nginx_port, self.run_nginx(here, site, may_write=False))

    def start_haproxy_gateway(self):
        config = replaced((DEPLOY / "haproxy/gateway.cfg").read_text(), [
            (r"^  (user|group) haproxy\n", ""),
            (r"bind :443 ", f"bind 127.0.0.1:{self.haproxy_port} "),
            (r"/etc/haproxy/gateway\.pem", str(self.directory / "charter.pem")),
            (r"/etc/haproxy/charter-forward-auth\.lua", str(DEPLOY / "haproxy/charter-forward-auth.lua")),
            (r"http://127\.0\.0\.1:9091/", f"http://127.0.0.1:{self.access}/"),
            (r"timeout server +35s", f"timeout server {PATIENCE}"),
            (r"server service1 127\.0\.0\.1:8000", f"server service1 127.0.0.1:{self.service_port}"),
        ])
        path = self.directory / "haproxy.cfg"
        path.write_text(config)
        process = self.start("haproxy", program("haproxy"), "-db", "-f", str(path),
                             env={"CHARTER_GATEWAY_TOKEN": TOKEN, "PATH": "/usr/bin:/bin"})
        self.add_front("haproxy", self.haproxy_port, process)

    def start_envoy_gateway(self):
        port, asking = free_ports(2)
        config = replaced((DEPLOY / "envoy/gateway.yaml").read_text(), [
            (r"address: 0\.0\.0\.0, port_value: 443 ", f"address: 127.0.0.1, port_value: {port} "),
            (r"port_value: 9902 ", f"port_value: {asking} "),
            (r"/etc/envoy/gateway\.crt", str(self.directory / "charter.crt")),
            (r"/etc/envoy/gateway\.key", str(self.directory / "charter.key")),
            (r"route: \{ cluster: service \}", f"route: {{ cluster: service, timeout: {PATIENCE} }}"),
            (r"port_value: 8000 ", f"port_value: {self.service_port} "),
            (r"port_value: 9091 ", f"port_value: {self.access} "),
        ])
        path = self.directory / "envoy.yaml"
        path.write_text(config)
        process = self.start("envoy", program("envoy"), "-c", str(path), "--use-dynamic-base-id", "--concurrency", "1")
        self.add_front("envoy", port, process)

    def ask(self, front, method, target, headers=(), body=b"", **more):
        """The answer, and what reached the service meanwhile."""
        self.service.received.clear()
        answer = exchange(front, method, target, headers, body, **{"host": HOST, **more})
        return answer, list(self.service.received)
