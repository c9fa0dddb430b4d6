"""The files of ``examples/deployment`` name settings that there are, fit each other, and are read by their programs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier_mcp.server.cli import registry_entry
from atelier_mcp.server.http_connections import KEEP_ALIVE_S
from tests.support.replica_topology import HAPROXY, HAPROXY_FILE

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples" / "deployment"
COMPOSE: Any = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
REPLICAS = [name for name in SERVICES if name.startswith("replica")]
MANIFESTS: dict[str, Any] = {
    document["kind"]: document for document in yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text("utf-8"))
}
SETTINGS = {variable["name"] for variable in registry_entry.build_document()["packages"][0]["environmentVariables"]}
SHARED = {"ATELIER_DATABASE_URL", "ATELIER_STORE_URL", "ATELIER_SIGNING_KEYS", "ATELIER_DRAIN_S"}
"""Without which servers are not one."""


def read_secret_settings() -> set[str]:
    return {*MANIFESTS["Secret"]["stringData"], *MANIFESTS["ConfigMap"]["data"]}


@pytest.mark.parametrize("name", REPLICAS)
def test_every_replica_of_compose_is_set_alike(name: str) -> None:
    assert len(REPLICAS) == 3
    assert SERVICES[name] == SERVICES[REPLICAS[0]]
    assert set(SERVICES[name]["environment"]) <= SETTINGS
    assert set(SERVICES[name]["environment"]) >= SHARED
    assert set(SERVICES[name]["depends_on"]) <= set(SERVICES)


def test_the_manifest_sets_what_there_is() -> None:
    assert read_secret_settings() <= SETTINGS
    assert read_secret_settings() >= SHARED


def test_what_compose_mounts_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (FOLDER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_what_has_to_be_set_for_compose_is_in_its_guide() -> None:
    needed = set(re.findall(r"\$\{(\w+)(?=[}:]\??)(?!:-)", (FOLDER / "compose.yaml").read_text("utf-8")))
    guide = (FOLDER / "README.md").read_text("utf-8")
    assert needed
    assert [name for name in needed if f"\n{name}=" not in guide] == []


def test_the_proxy_leads_to_the_replicas_of_compose() -> None:
    addresses = {name: value for name, value in SERVICES["proxy"]["environment"].items() if name != "BIND"}
    assert sorted(addresses.values()) == [f"{name}:8765" for name in REPLICAS]
    assert set(re.findall(r'"\$\{(\w+)\}"', HAPROXY_FILE.read_text("utf-8"))) == {"BIND", *addresses}


def test_the_proxy_closes_idle_connections_before_the_servers_do() -> None:
    """Else a request now and then meets a connection that is closing, and a submit cannot be sent again."""
    (idle_s,) = re.findall(r"timeout http-keep-alive (\d+)s", HAPROXY_FILE.read_text("utf-8"))
    assert int(idle_s) < KEEP_ALIVE_S


@pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")
def test_haproxy_reads_its_configuration() -> None:
    assert HAPROXY is not None
    addresses = {name: "127.0.0.1:1" for name in SERVICES["proxy"]["environment"] if name.startswith("REPLICA")}
    done = subprocess.run(
        [HAPROXY, "-c", "-f", str(HAPROXY_FILE)],
        env={**os.environ, "BIND": "127.0.0.1:1", **addresses},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr


def test_a_pod_lives_longer_than_it_drains() -> None:
    """It is asked for its readiness often enough to be seen leaving before it goes."""
    pod = MANIFESTS["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    probe, drain_s = container["readinessProbe"], float(MANIFESTS["ConfigMap"]["data"]["ATELIER_DRAIN_S"])
    assert probe["periodSeconds"] * probe["failureThreshold"] < drain_s
    assert drain_s + 10 <= pod["terminationGracePeriodSeconds"]
    assert (probe["httpGet"]["path"], container["livenessProbe"]["httpGet"]["path"]) == ("/readyz", "/healthz")


def test_every_part_of_the_manifest_finds_the_pods() -> None:
    labels = MANIFESTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert MANIFESTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["Service"]["spec"]["selector"] == labels
    assert MANIFESTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels


def test_the_image_has_what_a_replica_needs() -> None:
    """The driver of PostgreSQL and the client of buckets, in the versions that are tested."""

    def read_lock(name: str) -> set[str]:
        lines = (ROOT / name).read_text("utf-8").splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}

    image = read_lock("requirements-image.lock")
    assert {"psycopg", "psycopg-binary", "obstore", "numpy"} <= {line.partition("==")[0] for line in image}
    assert image <= read_lock("requirements.lock")
    assert "requirements-image.lock" in (ROOT / "Dockerfile").read_text("utf-8")
