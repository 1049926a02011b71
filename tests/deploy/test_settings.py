"""That the server has every flag and variable in deploy/, and takes them together."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import click
import pytest
import yaml

from enrollment_server.cli import main
from enrollment_server.listening import Address
from enrollment_server.settings import Access
from tests.support.places import ROOT

DEPLOY = ROOT / "deploy"
README = (DEPLOY / "README.md").read_text()
SERVE = main.commands["serve"]
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".binpb")


def flags() -> set[str]:
    """Those of all commands."""
    return {
        flag
        for command in main.commands.values()
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }


def variables() -> set[str]:
    return {f"ENROLLMENT_{flag[2:].replace('-', '_').upper()}" for flag in flags()}


def taken(
    monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """What `serve` makes of these; it would start with them."""
    for name in os.environ:
        if name.startswith("ENROLLMENT_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        options = SERVE.make_context("serve", list(arguments)).params
    except click.ClickException as error:
        pytest.fail(error.format_message())
    access = Access(**{field.name: options[field.name] for field in fields(Access)})
    access.check()
    assert access.tls_cert or access.insecure or Address.parse(options["listen"]).is_local
    return options


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_is_one_of_the_server(path: Any) -> None:
    assert set(re.findall(r"\bENROLLMENT_[A-Z_]*[A-Z]", path.read_text())) <= variables()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_flag_is_one_of_the_server(path: Any) -> None:
    text = path.read_text()
    if path.name == "README.md":
        text = "\n".join(re.findall(r"`--[^`]*`", text)).replace("`--build-arg", "")
    elif path.name == "Containerfile":
        text = "\n".join(line for line in text.splitlines() if line.startswith(("#", "CMD")))
    assert set(re.findall(r"(?<!\S)`?(--[a-z][a-z-]*)", text)) <= flags()


def test_the_environment_of_the_readme_can_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(re.findall(r"^(ENROLLMENT_\w+)=(.+)$", README, re.MULTILINE))
    unit = (DEPLOY / "enrollment-server.service").read_text()
    [arguments] = re.findall(r"^ExecStart=\S+/enrollment-server serve(.*)$", unit, re.MULTILINE)

    options = taken(monkeypatch, arguments.split(), environment)

    assert options["database_url"].get_backend_name() == "postgresql"


def test_the_arguments_of_the_deployment_can_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = yaml.safe_load_all((DEPLOY / "kubernetes/server.yaml").read_text())
    [deployment] = [one for one in manifests if one["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    command, *arguments = container["args"]
    environment = {one["name"]: one.get("value") or "sqlite:///e.db" for one in container["env"]}

    options = taken(monkeypatch, arguments, environment)

    assert command == "serve"
    probed = {
        (container[probe].get("grpc") or container[probe]["tcpSocket"])["port"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert probed == {Address.parse(options["listen"]).port}
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports["grpc"] == Address.parse(options["listen"]).port
    assert ports["metrics"] == Address.parse(options["metrics_listen"]).port
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["metrics"])


def test_the_image_can_be_served_once_it_is_told_how_to_encrypt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (DEPLOY / "Containerfile").read_text()
    environment = dict(re.findall(r"\b(ENROLLMENT_\w+)=(\S+)", text))
    assert 'ENTRYPOINT ["enrollment-server"]\nCMD ["serve"]' in text

    options = taken(monkeypatch, ["--insecure"], environment)

    assert f"EXPOSE {Address.parse(options['listen']).port} " in text
