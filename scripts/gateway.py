"""Serve a database by HTTP, too: a server, and Envoy in front of it, until a signal comes.

python scripts/gateway.py [--listen HOST:PORT] [--database-url URL]
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Final, cast

import yaml

ROOT = Path(__file__).resolve().parent.parent
SERVER = Path(sys.executable).parent / "enrollment-server"
DEPLOY = ROOT / "deploy"
ENVOY_VENV = ROOT / ".venv-gateway"
ENVOY = ENVOY_VENV / "bin" / "envoy"

ENVOY_FLAGS: Final = (
    "--disable-hot-restart",  # it would be the only one on this machine
    *("--log-level", "warning"),
    *("--file-flush-interval-msec", "100"),  # the log of calls
)

Config = dict[str, Any]


class GatewayError(Exception):
    """Why there is no gateway, or no longer; for people."""


def local(listen: str, *servers: str) -> Config:
    """deploy/envoy.yaml for this machine: plain text, at this address, before these servers."""
    text = (DEPLOY / "envoy.yaml").read_text()
    for name, path in files().items():
        text = text.replace(f"/etc/envoy/{name}", str(path))
    config: Config = yaml.safe_load(text)
    dial(config, *servers)
    [listener], [cluster] = config["static_resources"].values()
    [chain] = listener["filter_chains"]
    del chain["transport_socket"], cluster["transport_socket"], config["admin"]
    listener["address"] = address(listen)
    listener["enable_reuse_port"] = False  # or whoever else shares the port had half of the calls
    return config


def files() -> dict[str, Path]:
    """Where this machine has what goes into /etc/envoy, but for certificates."""
    [swagger_ui] = ENVOY_VENV.glob("lib/python3*/site-packages/mkdocs_swagger_ui_tag/swagger-ui")
    return {
        "enrollment.binpb": DEPLOY / "enrollment.binpb",
        "docs/index.html": DEPLOY / "docs" / "index.html",
        "docs/console.js": DEPLOY / "docs" / "console.js",
        "docs/openapi.yaml": ROOT / "docs" / "openapi.yaml",
        "docs/swagger-ui-bundle.js": swagger_ui / "javascripts" / "swagger-ui-bundle.js",
        "docs/swagger-ui.css": swagger_ui / "stylesheets" / "swagger-ui.css",
    }


def dial(config: Config, *servers: str) -> None:
    """Have it send calls to these."""
    [cluster] = config["static_resources"]["clusters"]
    [group] = cluster["load_assignment"]["endpoints"]
    group["lb_endpoints"] = [{"endpoint": {"address": address(server)}} for server in servers]


def connection_manager(config: Config) -> Config:
    """What knows HTTP in it: filters, routes, the log."""
    [listener] = config["static_resources"]["listeners"]
    [chain] = listener["filter_chains"]
    [manager] = chain["filters"]
    settings: Config = manager["typed_config"]
    return settings


def address(text: str) -> Config:
    """HOST:PORT, as Envoy has it."""
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


async def serve(listen: str, database_url: str) -> None:
    """Run both until a signal comes. Raises GatewayError."""
    require_free(listen)
    signalled = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)

    running: dict[str, Process] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            here = ("--listen", "127.0.0.1:0", "--database-url", database_url, "--migrate")
            server = running["enrollment-server"] = await start(SERVER, "serve", *here, stdout=PIPE)
            config = Path(folder) / "envoy.yaml"
            config.write_text(yaml.safe_dump(local(listen, await where_ready(server))))
            envoy = running["envoy"] = await start(ENVOY, "-c", config, *ENVOY_FLAGS)
            await until_answering(listen, envoy)
            print(f"the gateway is ready on http://{listen}")
            print(f"its console, for browsers, is http://{listen}/docs", flush=True)
            await first_of(signalled, running)
        finally:
            # The server first: what callers have begun is finished, and Envoy tells them.
            for process in running.values():
                await end(process)


def require_free(listen: str) -> None:
    host, _, port = listen.rpartition(":")
    try:
        socket.create_server((host, int(port))).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise GatewayError(f"cannot listen on {listen}: {reason}") from None


async def start(program: Path, *arguments: str | Path, stdout: int | None = None) -> Process:
    # In a group of its own: Ctrl-C is for this process, which ends them in order.
    return await asyncio.create_subprocess_exec(program, *arguments, stdout=stdout, process_group=0)


async def where_ready(server: Process) -> str:
    """The address that the server says it is ready on."""
    output = cast(asyncio.StreamReader, server.stdout)
    async for line in output:
        if b" is ready on " in line:
            return line.split()[-1].decode()
    raise GatewayError("enrollment-server did not start")


async def until_answering(listen: str, envoy: Process) -> None:
    host, _, port = listen.rpartition(":")
    while envoy.returncode is None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise GatewayError("envoy did not start")


async def first_of(signalled: asyncio.Event, running: dict[str, Process]) -> None:
    """Return when a signal comes. Raises GatewayError if one of these ends before."""
    signal_came = asyncio.create_task(signalled.wait())
    ends = {asyncio.create_task(process.wait()): name for name, process in running.items()}
    done, _ = await asyncio.wait([signal_came, *ends], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {signal_came}:
        raise GatewayError(f"{ends[task]} ended by itself, with {task.result()}")


async def end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument("--database-url", default="sqlite:///enrollment.db", metavar="URL")
    arguments = parser.parse_args()
    try:
        asyncio.run(serve(arguments.listen, arguments.database_url))
    except GatewayError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
