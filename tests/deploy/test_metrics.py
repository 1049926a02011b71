"""Alerts and dashboard: that the server has what they ask for, and that the alerts work."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from enrollment.v1 import enrollment_pb2 as pb
from enrollment_server.metrics import Metrics
from enrollment_server.rpc.server import SERVICE
from tests.support.places import ROOT

DEPLOY = ROOT / "deploy"
ENDINGS = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
LABELS = {"grpc_method", "grpc_status", "kind", "le", "job", "instance"}
WORDS = {"and", "or", "unless", "by"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not there; Debian's prometheus has it"
)


def families() -> dict[str, list[str]]:
    """The metrics of the server, and what Prometheus calls their series."""
    return {
        family.name: [family.name + ending for ending in ENDINGS[family.type]]
        for family in Metrics().registry.collect()
    }


def rules() -> list[dict[str, Any]]:
    content = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    content = json.loads((DEPLOY / "dashboard.json").read_text())
    return [panel for panel in content["panels"] if panel["type"] != "row"]


def dashboard_queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def queries() -> list[str]:
    return [*(rule["expr"] for rule in rules()), *dashboard_queries()]


def metrics_of(query: str) -> set[str]:
    """The metrics that it names: what is no string, label, range, function or keyword."""
    bare = re.sub(r'"[^"]*"', "", query)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby\s*\([^)]*\)", "", bare)
    return set(re.findall(r"\b[a-z_]\w*\b(?!\s*\()", bare)) - WORDS


def labels_of(query: str) -> set[str]:
    """The labels that it matches or adds up by."""
    bare = re.sub(r'"[^"]*"', "", query)
    braces = ",".join(re.findall(r"\{([^}]*)\}", bare))
    groups = ",".join(re.findall(r"\bby\s*\(([^)]*)\)", bare))
    return set(re.findall(r"\w+", braces)) | set(re.findall(r"\w+", groups))


def matchers(label: str) -> Iterator[tuple[str, str]]:
    """The operator and the value of every matcher of this label."""
    for query in queries():
        yield from re.findall(label + r'\s*(=~|!~|!=|=)\s*"([^"]*)"', query)


def test_queries_are_read_right() -> None:
    query = 'sum by (job, le) (rate(a_total{b=~"c|d", e!="f"}[5m])) / g == 0.5 or vector(0)'

    assert metrics_of(query) == {"a_total", "g"}
    assert labels_of(query) == {"b", "e", "job", "le"}


@pytest.mark.parametrize("query", queries())
def test_the_server_has_every_metric_and_label(query: str) -> None:
    assert metrics_of(query) <= {name for names in families().values() for name in names}
    assert metrics_of(query)
    assert labels_of(query) <= LABELS


@pytest.mark.parametrize("query", [query for query in queries() if "grpc_server" in query])
def test_calls_are_those_of_this_service(query: str) -> None:
    assert query.count("grpc_server_") == query.count(f'grpc_method=~"{SERVICE}/')


def test_every_method_and_status_that_is_matched_exists() -> None:
    methods = pb.DESCRIPTOR.services_by_name["EnrollmentService"].methods_by_name
    for _, value in matchers("grpc_method"):
        _, _, names = value.rpartition("/")
        assert names == ".*" or set(names.strip("()").split("|")) <= set(methods)
    for _, value in matchers("grpc_status"):
        assert set(value.split("|")) <= {code.name for code in grpc.StatusCode}


def test_the_dashboard_shows_every_metric() -> None:
    shown = set().union(*map(metrics_of, dashboard_queries()))

    assert {name for name, series in families().items() if not shown & set(series)} == set()


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    content = json.loads((DEPLOY / "dashboard.json").read_text())
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in content["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in content["panels"]}) == len(content["panels"])


def test_every_alert_is_seen_to_fire_and_not_to() -> None:
    content = yaml.safe_load((DEPLOY / "alerts_test.yaml").read_text())
    cases = [case for test in content["tests"] for case in test["alert_rule_test"]]
    alerts = {rule["alert"] for rule in rules()}

    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == alerts
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == alerts


def promtool(*arguments: object) -> None:
    command = ["promtool", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


@needs_promtool
def test_promtool_accepts_the_alerts() -> None:
    promtool("check", "rules", DEPLOY / "alerts.yaml")


@needs_promtool
def test_the_alerts_fire_when_they_should() -> None:
    promtool("test", "rules", DEPLOY / "alerts_test.yaml")


@needs_promtool
def test_promtool_accepts_the_queries_of_the_dashboard(folder: Path) -> None:
    recorded = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(dashboard_queries())
    ]
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))

    promtool("check", "rules", rules)
