"""The Kubernetes manifests."""

from typing import Any

import pytest
import yaml

from enrollment_server import __version__
from enrollment_server.cli import main
from enrollment_server.cli.serve import GRACE
from tests.support.places import ROOT

FOLDER = ROOT / "deploy/kubernetes"
OLDEST = "1.27"  # the first with gRPC probes and unhealthyPodEvictionPolicy without a feature gate

MANIFESTS: dict[str, dict[str, Any]] = {
    manifest["kind"]: manifest
    for path in sorted(FOLDER.glob("*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text())
}


def pod(kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = MANIFESTS[kind]["spec"]["template"]["spec"]
    return spec


def container(kind: str) -> dict[str, Any]:
    [only] = pod(kind)["containers"]
    return dict(only)


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_the_manifest_keeps_to_the_schema(manifest: dict[str, Any]) -> None:
    package = pytest.importorskip("kubernetes_validate")

    for version in (OLDEST, package.latest_version()):
        package.validate(manifest, version, strict=True)


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_the_pod_keeps_to_the_restricted_standard(kind: str) -> None:
    both = pod(kind)["securityContext"]
    own = container(kind)["securityContext"]

    assert both["runAsNonRoot"] is True
    assert both["runAsUser"] > 0
    assert both["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(kind)["automountServiceAccountToken"] is False
    assert pod(kind)["enableServiceLinks"] is False  # these are called ENROLLMENT_*, too
    assert {*container(kind)["resources"]} == {"requests", "limits"}


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_the_database_comes_from_the_secret_that_the_readme_makes(kind: str) -> None:
    [variable] = container(kind)["env"]
    key = {"name": "enrollment-database", "key": "ENROLLMENT_DATABASE_URL"}

    assert variable == {
        "name": "ENROLLMENT_DATABASE_URL",
        "valueFrom": {"secretKeyRef": key},
    }
    readme = (FOLDER.parent / "README.md").read_text()
    assert f"kubectl create secret generic {key['name']} --from-env-file" in readme


def test_the_migration_is_of_the_version_that_is_rolled_out() -> None:
    images = {container(kind)["image"] for kind in ("Deployment", "Job")}

    assert images == {f"enrollment-server:{__version__}"}
    assert container("Job")["args"] == ["migrate"]
    assert "migrate" in main.commands


def test_selectors_find_the_servers_and_nothing_else() -> None:
    labels = MANIFESTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    [spread] = pod("Deployment")["topologySpreadConstraints"]

    assert MANIFESTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["Service"]["spec"]["selector"] == labels
    assert MANIFESTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert spread["labelSelector"]["matchLabels"] == labels
    assert MANIFESTS["Job"]["spec"]["template"]["metadata"]["labels"] != labels


def test_clients_see_every_pod() -> None:
    service = MANIFESTS["Service"]["spec"]
    [port] = service["ports"]

    assert service["clusterIP"] == "None"
    assert port["targetPort"] in {one["name"] for one in container("Deployment")["ports"]}


def test_a_rollout_takes_no_server_away_before_there_is_another() -> None:
    spec = MANIFESTS["Deployment"]["spec"]

    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert spec["minReadySeconds"] > 30  # gRPC's pause between two look-ups of a name


def test_a_database_that_is_away_makes_pods_unready_and_restarts_none() -> None:
    server = container("Deployment")

    assert "grpc" in server["readinessProbe"]
    assert {"tcpSocket"} == {*server["livenessProbe"]} & {"grpc", "tcpSocket", "exec", "httpGet"}


def test_calls_in_flight_have_their_time_before_they_are_killed() -> None:
    server = container("Deployment")
    sleep, seconds = server["lifecycle"]["preStop"]["exec"]["command"]
    [drain] = [one for one in server["args"] if one.startswith("--drain-timeout=")]

    assert sleep == "sleep"
    needed = int(seconds) + float(drain.partition("=")[2]) + GRACE
    assert pod("Deployment")["terminationGracePeriodSeconds"] > needed
