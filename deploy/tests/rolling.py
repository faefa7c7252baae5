"""What operators do while clients are at work: restart the replicas one by one, upgrade the schema, lose a replica."""

import http.client
import signal
import subprocess
import threading
import time

from cluster import newest_postgres
from wire import signed_headers

TARGET = "/organizations/info"
CLIENTS = 8
# What the next version may add while this one runs, giving way to requests as `Store::migrate_up` does.
NEXT_SCHEMA = """BEGIN;
SET LOCAL lock_timeout = '500ms';
ALTER TABLE organizations ADD COLUMN next_version text;
ALTER TABLE service_accounts ADD COLUMN next_version text NOT NULL DEFAULT 'none';
ALTER TABLE access_keys ADD COLUMN next_version bigint;
ALTER TABLE audit_events ADD COLUMN next_version text;
CREATE TABLE next_version (id bigint PRIMARY KEY);
INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_next_version', 0);
INSERT INTO compatible_migrations (name, needs) SELECT 'm29990101_000001_next_version', max(version)
  FROM seaql_migrations WHERE version < 'm2999';
COMMIT;
"""
THIS_SCHEMA = """BEGIN;
SET LOCAL lock_timeout = '500ms';
DELETE FROM seaql_migrations WHERE version = 'm29990101_000001_next_version';
DELETE FROM compatible_migrations WHERE name = 'm29990101_000001_next_version';
DROP TABLE next_version;
ALTER TABLE organizations DROP COLUMN next_version;
ALTER TABLE service_accounts DROP COLUMN next_version;
ALTER TABLE access_keys DROP COLUMN next_version;
ALTER TABLE audit_events DROP COLUMN next_version;
COMMIT;
"""


class Load:
    """Clients that read and write through HAProxy on kept connections, and heed `connection: close`."""

    def __init__(self, cluster):
        self.cluster, self.over = cluster, threading.Event()
        self.passed, self.failed, self.lock = 0, [], threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more(50)
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def more(self, count):
        """Until so many more requests have passed, for a minute at most."""
        goal, end = self.passed + count, time.monotonic() + 60
        while self.passed < goal and time.monotonic() < end:
            time.sleep(0.02)
        return self.passed >= goal

    def work(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.cluster.front_port, timeout=40)
        while not self.over.is_set():
            method, body = ("PATCH", b'{"metadata":{"client":%d}}' % number) if number % 4 == 0 else ("GET", b"")
            headers = dict(signed_headers(self.cluster.key, method, TARGET, body))
            if body:
                headers["content-type"] = "application/json"
            try:
                connection.request(method, TARGET, body or None, headers)
                answer = connection.getresponse()
                answer.read()
                outcome = answer.status, answer.getheader("retry-after")
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                outcome = type(error).__name__, None
            with self.lock:
                if outcome[0] == 200:
                    self.passed += 1
                else:
                    self.failed.append(outcome)


def run(checks, cluster):
    before = checks.tried
    with Load(cluster) as load:
        for number in (1, 2):
            process = cluster.running[f"charter{number}"]
            process.send_signal(signal.SIGTERM)
            checks.expect(f"replica {number} stops while clients are at work", process.wait(60) == 0)
            load.more(50)
            cluster.start_replica(number)
            checks.expect("clients go on", load.more(100))
    checks.expect("a rolling restart fails no request", not load.failed, load.failed)
    print(f"  rolling restart: {load.passed} requests passed, {len(load.failed)} failed")

    with Load(cluster) as load:
        sql(cluster, NEXT_SCHEMA)
        checks.expect("this version runs on the next one's schema", load.more(200))
        process = cluster.running["charter2"]
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        cluster.start_replica(2)
        checks.expect("and starts on it", load.more(200))
        sql(cluster, THIS_SCHEMA)
        checks.expect("and after it is taken back", load.more(200))
    # ALTER TABLE waits for its lock for half a second at a time, and writes of the one organization behind it: one that
    # has waited for two seconds is told to come again.
    told = [outcome for outcome in load.failed if outcome[0] == 503 and outcome[1]]
    checks.expect("an upgrade of the schema fails no request", load.failed == told, load.failed)
    checks.expect("and tells few to come again", len(told) <= CLIENTS, told)
    print(f"  schema upgrade: {load.passed} requests passed, {len(load.failed)} failed")

    with Load(cluster) as load:
        cluster.running["charter1"].kill()
        cluster.running["charter1"].wait()
        checks.expect("a replica is killed and clients go on", load.more(200))
        cluster.start_replica(1, may_be_unready=True)
        checks.expect("it comes back and clients go on", load.more(100))
    # A client hears nothing, or a 502: once for what was under way, once for what it sent while the process was dying.
    unheard = (502, "RemoteDisconnected", "ConnectionResetError")
    known = all(status in unheard or (status == 503 and after) for status, after in load.failed)
    checks.expect("only what the killed replica had begun fails", known and len(load.failed) <= 2 * CLIENTS, load.failed)
    print(f"  killed replica: {load.passed} requests passed, {len(load.failed)} had begun there and failed")
    checks.group("rolling", before)


def sql(cluster, statements):
    psql = [newest_postgres() / "psql", "-q", "-v", "ON_ERROR_STOP=1", cluster.sql_url]
    for _ in range(100):
        done = subprocess.run(psql, input=statements, text=True, capture_output=True)
        if not done.returncode:
            return
        if "lock timeout" not in done.stderr:
            break
        time.sleep(0.2)
    raise SystemExit(f"psql: {done.stderr}")
