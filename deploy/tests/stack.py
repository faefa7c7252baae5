"""Private servers on free loopback ports: Charter, nginx and HAProxy with the files of this folder."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
ROOT = DEPLOY.parent


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")


def binary():
    """CHARTER_BIN; else the debug build, or the release build where there is no other."""
    builds = [ROOT / "target" / kind / "charter" for kind in ("debug", "release")]
    found = next((build for build in builds if os.access(build, os.X_OK)), builds[0])
    return str(ROOT / os.environ.get("CHARTER_BIN", found))


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Front:
    def __init__(self, name, port, tls):
        self.name, self.address, self.tls = name, ("127.0.0.1", port), tls

    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.address[1]}"


def replaced(text, pairs):
    """Fails where the file no longer has what is to be replaced."""
    for pattern, replacement in pairs:
        text, count = re.subn(pattern, lambda _: replacement, text, flags=re.M)
        if not count:
            raise SystemExit(f"deploy/test: nothing matches {pattern!r} any more; adapt deploy/tests/stack.py")
    return text


class Stack:
    def __init__(self, binary):
        self.binary = binary
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="charter-deploy-"))
        self.directory.chmod(0o700)
        self.main, self.ops, self.nginx_port, self.haproxy_port = free_ports(4)
        self.fronts = [Front("direct", self.main, False)]
        self.processes, self.tokens = [], []
        self.charter = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, name, *command, **options):
        log = open(self.directory / f"{name}.log", "wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def wait_for(self, name, process, is_up, seconds=40):
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.poll() is None:
            if is_up():
                return
            time.sleep(0.05)
        log = (self.directory / f"{name}.log").read_text(errors="replace")
        raise SystemExit(f"deploy/test: {name} does not start:\n{log[-3000:]}")

    def start_charter(self, more={}):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CHARTER_")}
        environment |= {
            "CHARTER__DATA_DIR": str(self.directory / "data"),
            "CHARTER__SERVER__LISTEN": f"127.0.0.1:{self.main}",
            "CHARTER__SERVER__OPS_LISTEN": f"127.0.0.1:{self.ops}",
            "CHARTER__SERVER__TRUSTED_PROXIES": "127.0.0.1",
            "CHARTER__SERVER__SHUTDOWN_DRAIN": "8s",
            "CHARTER__POLICIES__DIR": str(ROOT / "policies"),
            "CHARTER__POLICIES__PROOFS": "off",
            "CHARTER__POLICIES__TESTS": "off",
        } | more
        self.charter = self.start("charter", self.binary, "serve", "--demo", env=environment)
        self.wait_for("charter", self.charter, lambda: self.ops_get("/readyz")[0] == 200)
        lines = (self.directory / "data" / "demo.env").read_text().splitlines()
        named = dict(re.findall(r"^(?:export )?(\w+)='?([^']*?)'?$", line)[0] for line in lines if "=" in line)
        self.key = named["CHARTER_ACCESS_KEY"], named["CHARTER_SECRET_KEY"]
        self.person = named["CHARTER_PORTAL_EMAIL"], named["CHARTER_PORTAL_PASSWORD"]
        self.manager = named["CHARTER_MANAGER_ACCESS_KEY"], named["CHARTER_MANAGER_SECRET_KEY"]

    def ops_get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None, ""

    def served(self):
        """Requests that Charter has answered, those of the checks themselves left out."""
        lines = self.ops_get("/metrics")[1].splitlines()
        counts = [line for line in lines if line.startswith("charter_http_requests_total{")]
        return sum(int(line.rsplit(" ", 1)[1]) for line in counts
                   if not any(own in line for own in ("/healthz", "/readyz", "/metrics")))

    def make_certificate(self):
        certificate, key = self.directory / "charter.crt", self.directory / "charter.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )
        (self.directory / "charter.pem").write_bytes(certificate.read_bytes() + key.read_bytes())

    def start_nginx(self):
        here = self.directory / "nginx"
        here.mkdir()
        (self.redirect_port,) = free_ports(1)
        site = replaced((DEPLOY / "nginx/charter.conf").read_text(), [
            (r"server 127\.0\.0\.1:8080 ", f"server 127.0.0.1:{self.main} "),
            (r"listen 80;", f"listen 127.0.0.1:{self.redirect_port};"),
            (r"listen 443 ssl http2;", f"listen 127.0.0.1:{self.nginx_port} ssl http2;"),
            (r"/var/log/nginx/access\.log", str(self.directory / "nginx-access.log")),
            (r"/var/log/nginx/error\.log", "stderr"),
            (r"/etc/nginx/charter\.crt", str(self.directory / "charter.crt")),
            (r"/etc/nginx/charter\.key", str(self.directory / "charter.key")),
        ])
        self.add_front("nginx", self.nginx_port, self.run_nginx(here, site))

    def run_nginx(self, here, site, may_write=True):
        """With this file in its `http` context. Root's workers may write below the directory, or not."""
        (here / "site.conf").write_text(site)
        temporary = "".join(
            f"  {kind}_temp_path {here}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 and may_write else ""
        (here / "nginx.conf").write_text(
            f"{user}daemon off;\nworker_processes 1;\npid {here}/pid;\nerror_log stderr warn;\n"
            f"events {{ worker_connections 512; }}\nhttp {{\n  access_log off;\n{temporary}  include {here}/site.conf;\n}}\n"
        )
        return self.start("nginx", program("nginx"), "-e", "stderr", "-p", str(here), "-c", str(here / "nginx.conf"))

    def start_haproxy(self):
        config = replaced((DEPLOY / "haproxy/haproxy.cfg").read_text(), [
            (r"^  (user|group) haproxy\n", ""),
            (r"maxconn 10000", "maxconn 1000"),
            (r'"\$\{CHARTER_HOST-127\.0\.0\.1\}:8080" check port 9090$', f"127.0.0.1:{self.main} check port {self.ops}"),
            (r'"\$\{CHARTER_HOST-127\.0\.0\.1\}:8080" backup$', f"127.0.0.1:{self.main} backup"),
            (r"^  server charter2 .*\n", ""),
            (r"bind :443 ", f"bind 127.0.0.1:{self.haproxy_port} "),
            (r"/etc/haproxy/charter\.pem", str(self.directory / "charter.pem")),
        ])
        path = self.directory / "haproxy.cfg"
        path.write_text(config)
        process = self.start("haproxy", program("haproxy"), "-db", "-f", str(path))
        self.add_front("haproxy", self.haproxy_port, process)

    def add_front(self, name, port, process):
        def is_up():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        self.wait_for(name, process, is_up, 10)
        self.fronts.append(Front(name, port, True))

    def stop_charter(self):
        self.charter.send_signal(signal.SIGTERM)
