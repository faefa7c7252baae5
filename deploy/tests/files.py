"""What can be told of the other files without running what reads them: names, schemas, syntax."""

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import kubernetes
from stack import DEPLOY, ROOT, program

SNAPSHOT = ROOT / "src/telemetry/snapshots/charter__telemetry__catalogue__tests__the_metrics_are_these.snap"
METRIC = re.compile(r"\b((?:charter|process)_[a-z_]+)(?:\{([^}]*)\})?")


def catalogue():
    """Labels by metric, as operators read them; a histogram is three series."""
    metrics = {}
    for kind, name, labels in re.findall(r"^(Counter|Gauge|Histogram) (\w+)\[(.*?)\]:", SNAPSHOT.read_text(), re.M):
        own = set(re.findall(r'"(\w+)"', labels))
        for end in ("_bucket", "_sum", "_count") if kind == "Histogram" else ("",):
            metrics[name + end] = own | ({"le"} if end == "_bucket" else set())
    return metrics


def expressions():
    dashboard = json.loads((DEPLOY / "grafana/charter.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard, {panel['title']}", target["expr"]
    alert = ""
    for line in (DEPLOY / "prometheus/alerts.yaml").read_text().splitlines():
        alert = line.split()[-1] if "- alert:" in line else alert
        if line.startswith("          ") and alert:
            yield alert, line.strip()


def metrics_exist(checks):
    before, known, used = checks.tried, catalogue(), set()
    for where, expression in expressions():
        for name, selectors in METRIC.findall(expression):
            used.add(name)
            checks.expect(f"{where}: `{name}` is a metric", name in known)
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors)) - {"job", "instance"}
            checks.expect(f"{where}: labels of `{name}`", labels <= known.get(name, set()), labels)
    dashboard = (DEPLOY / "grafana/charter.json").read_text()
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in known}
    for name in shown:
        checks.expect(f"the dashboard shows `{name}`", name in dashboard)
    checks.group("metrics of dashboard and alerts", before)


def live_metrics(checks, read):
    """What runs has what the catalogue says: counters with labels only appear with their first event."""
    end = time.monotonic() + 5
    while "\ncharter_replicas " not in (text := read()) and time.monotonic() < end:  # counted a moment after the start
        time.sleep(0.1)
    before, known = checks.tried, catalogue()
    for name in sorted({line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and line[0] != "#"}):
        checks.expect(f"/metrics: `{name}` is in the catalogue", name in known)
    labelled = {"charter_build_info", "charter_policies_loaded", "charter_ready"}
    missing = [name for name, labels in known.items()
               if (not labels or name in labelled) and f"\n{name}" not in text]
    checks.expect("/metrics has every metric that needs no event of its own", not missing, missing)
    checks.group("metrics of the running service", before)


def alerts_are_explained(checks):
    before, document = checks.tried, (ROOT / "docs/operating.md").read_text()
    alerts = re.findall(r"- alert: (\w+)", (DEPLOY / "prometheus/alerts.yaml").read_text())
    for alert in alerts:
        checks.expect(f"docs/operating.md explains `{alert}`", f"**{alert}**" in document)
    explained = set(re.findall(r"\*\*(Charter\w+)\*\*", document))
    checks.expect("docs/operating.md explains no other", explained <= set(alerts), explained - set(alerts))
    checks.group("alerts in docs/operating.md", before)


def tool(checks, name, *commands):
    if program(name) is None:
        print(f"  SKIPPED: {name} is not installed")
        return
    before = checks.tried
    for command in commands:
        done = subprocess.run([program(name), *command], capture_output=True, text=True)
        checks.expect(f"{name} {' '.join(command)}", done.returncode == 0, done.stdout + done.stderr)
    checks.group(name, before)


def unit(checks, binary, directory):
    """The unit with this binary in the place of the installed one."""
    path = Path(directory) / "charter.service"
    path.write_text((DEPLOY / "systemd/charter.service").read_text().replace("/usr/bin/charter", binary))
    tool(checks, "systemd-analyze", ("verify", str(path)),
         ("security", "--offline=true", "--threshold=20", str(path)))


def placeholders(checks):
    """No key or password is in these files."""
    before = checks.tried
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix in (".yaml", ".service", ".cfg", ".conf", ""):
            text = path.read_text(errors="replace")
            checks.expect(f"{path.name}: no key", not re.search(r":[A-Za-z0-9+/]{43}=|BEGIN [A-Z ]*PRIVATE", text))
    checks.group("no secrets", before)


def envoy_shape(checks):
    """Envoy itself is not at hand: what the file names is there, and what it must refuse is refused."""
    try:
        import yaml
    except ImportError:
        print("  SKIPPED: Python has no yaml; envoy/gateway.yaml was not read")
        return
    before = checks.tried
    resources = yaml.safe_load((DEPLOY / "envoy/gateway.yaml").read_text())["static_resources"]
    text, clusters = json.dumps(resources), {each["name"] for each in resources["clusters"]}
    named = set(re.findall(r'"cluster": "(\w+)"', text))
    checks.expect("envoy: each cluster that is named is there", named == clusters, named ^ clusters)
    for listener in resources["listeners"]:
        (chain,) = listener["filter_chains"]
        manager = chain["filters"][0]["typed_config"]
        names = [each["name"].rsplit(".", 1)[1] for each in manager["http_filters"]]
        checks.expect(f"envoy: {listener['name']} ends in the router", names[-1] == "router", names)
        kept = manager["normalize_path"] is manager["merge_slashes"] is False
        checks.expect(f"envoy: {listener['name']} leaves paths alone", kept)
        if listener["name"] == "clients":
            checks.expect("envoy: headers go before Charter is asked",
                          names[:3] == ["lua", "header_mutation", "ext_authz"], names)
            asked = manager["http_filters"][2]["typed_config"]
            checks.expect("envoy: fails closed", asked["failure_mode_allow"] is False)
    checks.group("shape of envoy/gateway.yaml", before)


def package(checks, binary, directory):
    if program("dpkg-deb") is None:
        print("SKIPPED: dpkg-deb is not installed; no package was made")
        return
    # Uncompressed, since a binary for debugging is large.
    settings = os.environ | {"CHARTER_BIN": binary, "DPKG_DEB_COMPRESSOR_TYPE": "none"}
    built = subprocess.run([DEPLOY / "debian/build", directory], env=settings, capture_output=True, text=True)
    checks.expect("a Debian package is built", built.returncode == 0, built.stderr)
    for made in Path(directory).glob("charter_*.deb"):
        listed = subprocess.run(["dpkg-deb", "--contents", made], capture_output=True, text=True).stdout
        for name in ("usr/bin/charter", "usr/lib/systemd/system/charter.service",
                     "usr/share/charter/policies/schema.cedarschema", "usr/share/doc/charter/charter.cdx.json"):
            checks.expect(f"the package has {name}", f" ./{name}\n" in listed, listed[-2000:])
        made.unlink()


def run(checks, binary):
    envoy_shape(checks)
    metrics_exist(checks)
    alerts_are_explained(checks)
    placeholders(checks)
    rules = str(DEPLOY / "prometheus/alerts.yaml")
    tool(checks, "promtool", ("check", "rules", rules), ("check", "config", str(DEPLOY / "prometheus/scrape.yaml")),
         ("test", "rules", str(DEPLOY / "prometheus/alerts.test.yaml")))
    with tempfile.TemporaryDirectory(prefix="charter-deploy-") as directory:
        unit(checks, binary, directory)
        kubernetes.run(checks, binary, Path(directory))
        package(checks, binary, directory)
