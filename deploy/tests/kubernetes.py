"""The Kubernetes manifests without a cluster: their schemas, their settings, the policies as the kubelet lays them out."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from stack import DEPLOY, ROOT, program

FILES = DEPLOY / "kubernetes"
CONFIG_MAPS = FILES / "policies-configmap"


def validator():
    """The command line of `kubernetes-validate`, from the path or this Python's packages."""
    if found := program("kubernetes-validate"):
        return [found]
    beside = Path(sys.executable).with_name("kubernetes-validate")
    return [str(beside)] if beside.exists() else None


def schemas(checks, config_maps, directory):
    if (command := validator()) is None:
        print("  SKIPPED: kubernetes-validate is not installed (pip install kubernetes-validate); no schema was checked")
        return
    before = checks.tried
    each = [directory / f"configmap{number}.json" for number in range(len(config_maps))]
    for path, made in zip(each, config_maps):
        path.write_text(json.dumps(made))
    wrong = directory / "wrong.yaml"
    wrong.write_text((FILES / "charter.yaml").read_text().replace("serviceName:", "serviceNames:"))
    for path in (*sorted(FILES.glob("*.yaml")), *each, wrong):
        done = subprocess.run([*command, "--strict", path], capture_output=True, text=True)
        valid = done.returncode == 0
        checks.expect(f"kubernetes-validate {path.name}", valid is (path != wrong), done.stdout + done.stderr)
    checks.group("schemas of Kubernetes", before)


def replicas(checks):
    """What several replicas need, each in its place."""
    try:
        import yaml
    except ImportError:
        print("  SKIPPED: Python has no yaml; the Kubernetes manifests were not read")
        return
    before = checks.tried
    made = {each["kind"]: each for each in yaml.safe_load_all((FILES / "charter.yaml").read_text())}
    settings = yaml.safe_load((FILES / "settings.yaml").read_text())["data"]
    spec = made["StatefulSet"]["spec"]
    checks.expect("several replicas", spec["replicas"] > 1 and settings["CHARTER__REPLAY__STORE"] == "redis", settings)
    checks.expect("one at a time", made["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1)
    pod = spec["template"]["spec"]
    volumes = {volume["name"] for volume in (*pod["volumes"], *(each["metadata"] for each in spec["volumeClaimTemplates"]))}
    mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    checks.expect("each volume is mounted", volumes == mounts, volumes ^ mounts)
    ports = {port["port"] for rule in made["NetworkPolicy"]["spec"]["egress"] for port in rule["ports"]}
    checks.expect("the network lets out to names, PostgreSQL and Redis", ports == {53, 5432, 6379}, ports)
    drain = int(settings["CHARTER__SERVER__SHUTDOWN_DRAIN"].removesuffix("s"))
    checks.expect("time to stop", pod["terminationGracePeriodSeconds"] >= drain + 25, drain)
    checks.group("replicas on Kubernetes", before)


def settings_are_known(checks, charter, directory):
    """The ConfigMap and the secret's file are settings that the service takes; where they lead to is not there."""
    before = checks.tried
    keys = charter("keys", "generate")
    secret = (FILES / "secret.yaml").read_text().split("charter.toml: |\n")[1].split("    [keys]")[0]
    file = directory / "charter.toml"
    file.touch(0o600)
    file.write_text(re.sub(r"^    ", "", secret, flags=re.M) + keys)
    environment = dict(re.findall(r'^  (CHARTER__\w+): "(.*)"$', (FILES / "settings.yaml").read_text(), re.M))
    done = charter.run("check", "--json", "--config", str(file), environment={
        **environment, "CHARTER__DATA_DIR": str(directory / "data"),
        "CHARTER__SERVER__LISTEN": "127.0.0.1:0", "CHARTER__SERVER__OPS_LISTEN": "127.0.0.1:0",
    })
    parts = {part["name"]: part for part in json.loads(done.stdout or '{"parts": []}')["parts"]}
    checks.expect("the settings are known and fit", parts.get("settings", {}).get("ok"), done.stdout + done.stderr)
    checks.group("settings on Kubernetes", before)


class Charter:
    """The program, with as little of the machine as can be."""

    def __init__(self, checks, binary, directory):
        self.checks, self.binary, self.directory = checks, binary, directory

    def run(self, *arguments, environment):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHARTER_")}
        return subprocess.run([self.binary, *arguments], capture_output=True, text=True, env=inherited | environment)

    def __call__(self, *arguments):
        done = self.run(*arguments, environment={
            "CHARTER__POLICIES__PROOFS": "off", "CHARTER__POLICIES__TESTS": "off",
            "CHARTER__DATA_DIR": str(self.directory / "none"),
        })
        self.checks.expect(f"charter {' '.join(arguments[:2])}", done.returncode == 0, done.stdout + done.stderr)
        return done.stdout


def items_of(text):
    """What a projected volume places: path by ConfigMap and key."""
    placed, name = {}, None
    for line in text.splitlines():
        if found := re.fullmatch(r" {18}name: (\S+)", line):
            name = found[1]
        elif found := re.fullmatch(r" {20}- \{key: (\S+), path: (\S+)\}", line):
            placed[name, found[1]] = found[2]
    return placed


def lay_out(config_maps, items, place):
    """A projected volume as the kubelet writes it: behind `..data`, with a link for each name at the top."""
    data = {(each["metadata"]["name"], key): text for each in config_maps for key, text in each["data"].items()}
    revision = "..2026_01_01_00_00_00.1"
    for key, path in items.items():
        file = place / revision / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(data.get(key, ""))
    (place / "..data").symlink_to(revision)
    for top in sorted({path.split("/")[0] for path in items.values()}):
        (place / top).symlink_to(f"..data/{top}")
    return data.keys()


def run(checks, binary, directory):
    directory = directory / "kubernetes"
    directory.mkdir()
    charter = Charter(checks, binary, directory)
    before = checks.tried
    folder = directory / "policies"
    shutil.copytree(ROOT / "policies", folder)
    charter("policy", "manifest", str(folder))

    def made(*options):
        return subprocess.run([CONFIG_MAPS, *options, folder], capture_output=True, text=True, check=True).stdout

    items = items_of((FILES / "charter.yaml").read_text())
    printed = items_of(made("--items"))
    checks.expect("charter.yaml places every policy file", items == printed, items.items() ^ printed.items())
    shutil.copytree(ROOT / "examples/domains", folder / "domains")
    domains = sorted(each.name for each in (folder / "domains").iterdir())
    for name in domains:
        charter("policy", "manifest", str(folder / "domains" / name))
    config_maps, items = json.loads(made())["items"], items_of(made("--items"))
    mounted = directory / "mounted"
    keys = lay_out(config_maps, items, mounted)
    checks.expect("the items place every file of the domains", items.keys() == keys, items.keys() ^ keys)
    for domain in ("", *(f"domains/{name}" for name in domains)):
        checked = [charter("policy", "check", "--json", str(place / domain)) for place in (folder, mounted)]
        digests = [json.loads(each)["whole_folder"] for each in checked]
        checks.expect(f"the mounted policies are those of the folder: {domain or 'built-in'}",
                      digests[0] == digests[1] is not None, digests)
    checks.group("policies as a Kubernetes volume", before)
    replicas(checks)
    settings_are_known(checks, charter, directory)
    schemas(checks, config_maps, directory)
