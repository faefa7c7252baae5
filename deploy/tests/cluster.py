"""PostgreSQL, Redis, two replicas of Charter and HAProxy, all private, in one temporary directory."""

import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time

from stack import DEPLOY, ROOT, Front, Stack, free_ports, program, replaced
from wire import exchange, head, signed_headers

PERMISSIONS = ("organizations:GetOrganization", "organizations:UpdateOrganization", "decisions:GetDecision")
FREEZE = """@id("freeze")
forbid (principal, action == Action::"organizations:UpdateOrganization", resource);
"""


def newest_postgres():
    """The directory of its programs."""
    places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
    if places:
        return places[-1]
    initdb = program("initdb")
    return pathlib.Path(initdb).resolve().parent if initdb else None


def missing():
    """What a cluster needs and is not installed."""
    absent = [name for name in ("redis-server", "haproxy") if program(name) is None]
    return absent + ([] if newest_postgres() else ["postgresql"])


class Cluster(Stack):
    """Each server is a process of this user; as root, PostgreSQL and Redis run as `nobody`."""

    def __init__(self, binary):
        super().__init__(binary)
        self.sql_port, self.redis_port, self.front_port, *rest = free_ports(7)
        self.replicas = [tuple(rest[:2]), tuple(rest[2:])]
        self.settings = [self.directory / f"charter{number}.toml" for number in (1, 2)]
        self.running = {}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("CHARTER_")}

    def start_all(self):
        self.start_postgres()
        self.start_redis()
        self.write_settings()
        self.start_replica(1)
        self.create_organization()
        self.start_replica(2)
        self.start_front()

    def servers_user(self):
        if os.geteuid() != 0:
            return {}
        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def servers_directory(self, name):
        # `nobody` must be able to pass.
        self.directory.chmod(0o711)
        place = self.directory / name
        place.mkdir(mode=0o700)
        user = self.servers_user()
        if user:
            os.chown(place, user["user"], user["group"])
        return place

    def start_postgres(self):
        programs, place = newest_postgres(), self.servers_directory("postgres")
        subprocess.run(
            [programs / "initdb", "--username=charter", "--auth=trust", "--encoding=UTF8", "--no-sync",
             "-D", place / "data"],
            check=True, capture_output=True, cwd=place, **self.servers_user(),
        )
        process = self.start(
            "postgres", programs / "postgres", "-D", place / "data", "-k", place, "-c", "listen_addresses=127.0.0.1",
            "-p", str(self.sql_port), cwd=place, **self.servers_user(),
        )
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.sql_port), "-U", "charter"]
        self.wait_for("postgres", process, lambda: subprocess.run(ready).returncode == 0)
        self.sql_url = f"postgres://charter@127.0.0.1:{self.sql_port}/postgres?sslmode=disable"

    def start_redis(self):
        place = self.servers_directory("redis")
        process = self.start(
            "redis", program("redis-server"), "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--maxmemory-policy", "noeviction", cwd=place, **self.servers_user(),
        )
        self.running["redis"] = process
        log = self.directory / "redis.log"
        self.wait_for("redis", process, lambda: "eady to accept connections" in log.read_text())

    def write_settings(self):
        """One file for each replica, with the same keys; the policies are a copy to edit."""
        shutil.copytree(ROOT / "policies", self.directory / "policies")
        keys = self.command("keys", "generate")
        for number, path in enumerate(self.settings, 1):
            path.touch(0o600)
            path.write_text(self.sections(number) + keys)

    def create_organization(self):
        """With a service account's key."""
        self.command("organization", "--config", self.settings[0], "create", "--name", "Acme", "--slug", "acme")
        permissions = [f"--permission={name}" for name in PERMISSIONS]
        issued = self.command("key", "--config", self.settings[0], "issue", "acme", "--name", "robot", *permissions)
        key = json.loads(issued)
        self.key = key["access_key"], key["secret_key"]

    def sections(self, number):
        """The settings of a replica, as TOML: all that operators' commands need, too."""
        main, ops = self.replicas[number - 1]
        return f"""data_dir = "{self.directory}/data{number}"

[database]
url = "{self.sql_url}"

[replay]
store = "redis"
url = "redis://127.0.0.1:{self.redis_port}"

[server]
listen = "127.0.0.1:{main}"
ops_listen = "127.0.0.1:{ops}"
trusted_proxies = ["127.0.0.1"]
# On a busy machine HAProxy notices later that /readyz fails.
shutdown_drain = "5s"

[portal]
base_url = "{self.url()}"

[policies]
dir = "{self.directory}/policies"
proofs = "auto"
widening = "approved"

"""

    def command(self, *arguments):
        done = subprocess.run(
            [self.binary, *arguments], check=False, capture_output=True, text=True, env=self.environment,
        )
        if done.returncode:
            raise SystemExit(f"charter {arguments[0]}: {done.stderr}")
        return done.stdout

    def folder(self):
        """The digest of the whole policy folder."""
        checked = self.command("policy", "check", "--config", self.settings[0], "--json")
        return json.loads(checked)["whole_folder"]

    def start_replica(self, number, may_be_unready=False):
        name = f"charter{number}"
        process = self.start(name, self.binary, "serve", "--config", self.settings[number - 1], env=self.environment)
        self.running[name] = process
        served = (200, 503) if may_be_unready else (200,)
        self.ops = self.replicas[number - 1][1]
        self.wait_for(name, process, lambda: self.ops_get("/readyz")[0] in served, 120)

    def start_front(self):
        (main1, ops1), (main2, ops2) = self.replicas
        config = replaced((DEPLOY / "haproxy/haproxy.cfg").read_text(), [
            (r"^  (user|group) haproxy\n", ""),
            (r"maxconn 10000", "maxconn 1000"),
            (r'"\$\{CHARTER_HOST-127\.0\.0\.1\}:8080" check port 9090$', f"127.0.0.1:{main1} check port {ops1}"),
            (r'"\$\{CHARTER_HOST-127\.0\.0\.1\}:8080" backup$', f"127.0.0.1:{main1} backup"),
            (r"^  server charter2 .*$", f"  server charter2 127.0.0.1:{main2} check port {ops2}"),
            (r"bind :443 ssl crt \S+ alpn \S+", f"bind 127.0.0.1:{self.front_port}"),
        ])
        path = self.directory / "haproxy.cfg"
        path.write_text(config)
        process = self.start("haproxy", program("haproxy"), "-db", "-f", str(path))
        self.add_front("haproxy", self.front_port, process)
        self.fronts[-1].tls = False

    def url(self):
        return f"http://127.0.0.1:{self.front_port}"


def run(checks, cluster):
    """Replicas act as one, a replica's death is not noticed, and a loss in Redis lets nothing through twice."""
    before = checks.tried
    target = "/organizations/info"
    fronts = [("127.0.0.1", main) for main, _ in cluster.replicas]
    read = head("GET", target, signed_headers(cluster.key, "GET", target))
    statuses = [ask(front, read) for front in (*fronts, *fronts)]
    checks.expect("of equal requests to two replicas one passes", statuses == [200, 401, 401, 401], statuses)
    through = ("127.0.0.1", cluster.front_port)
    fresh = [ask(through, head("GET", target, signed_headers(cluster.key, "GET", target))) for _ in range(20)]
    checks.expect("requests through HAProxy pass", set(fresh) == {200}, fresh)

    replicas = [Front(f"charter{number}", main, False) for number, (main, _) in enumerate(cluster.replicas, 1)]
    denied = send(cluster, replicas[0], "GET", "/accounts")
    found = f"/decisions/{json.loads(denied.body)['error'].get('decision_id')}"
    explained = within(5, lambda: send(cluster, replicas[1], "GET", found).status == 200)
    checks.expect("the other replica explains a denial", explained)
    own, other = (send(cluster, replica, "GET", found) for replica in replicas)
    checks.expect("both say the same of it", own.body == other.body, (own.body, other.body))

    freeze = cluster.directory / "policies/freeze.cedar"
    freeze.write_text(FREEZE)
    for replica in replicas:
        stopped = within(10, lambda: change(cluster, replica) == 403)
        checks.expect(f"an edit of the policies reaches {replica.name}", stopped)
    freeze.unlink()
    approve = ("policy", "approve", "--config", cluster.settings[0], "--reason", "a test", "--yes")
    cluster.command(*approve, cluster.folder())
    for replica in replicas:
        checks.expect(f"an approval reaches {replica.name}", within(30, lambda: change(cluster, replica) == 200))

    cluster.running["charter1"].kill()
    cluster.running["charter1"].wait()
    fresh = [ask(through, head("GET", target, signed_headers(cluster.key, "GET", target))) for _ in range(20)]
    checks.expect("a replica that was killed is not missed", set(fresh) == {200}, fresh)
    checks.expect("what it had accepted the other refuses", ask(fronts[1], read) == 401)

    flushed = subprocess.run([program("redis-cli"), "-p", str(cluster.redis_port), "flushall"], capture_output=True)
    checks.expect("Redis is emptied", flushed.returncode == 0)
    again = ask(fronts[1], read)
    checks.expect("after a loss nothing is accepted twice", again in (401, 503), again)
    cluster.start_replica(1, may_be_unready=True)
    again = ask(fronts[0], read)
    checks.expect("nor by a replica that comes back", again in (401, 503), again)
    checks.group("cluster", before)


def send(cluster, front, method, target, body=b""):
    return exchange(front, method, target, signed_headers(cluster.key, method, target, body), body)


def change(cluster, front):
    return send(cluster, front, "PATCH", "/organizations/info", b'{"metadata":{}}').status


def within(seconds, holds):
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.1)
    return held


def ask(address, request):
    """The status; 0 for a connection that ended without one."""
    try:
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
            line = connection.makefile("rb").readline().split()
            return int(line[1]) if len(line) > 1 else 0
    except OSError:
        return 0
