"""`serve`: answer calls until a signal comes."""

import contextlib
import gc
import math
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click

from enrollment_server import __version__
from enrollment_server.app import App
from enrollment_server.cli.common import command, database_url, failing_in_a_line
from enrollment_server.cli.schema import migrate_to_head
from enrollment_server.listening import Address
from enrollment_server.ops import logging
from enrollment_server.ops.exposition import multiprocess_metrics
from enrollment_server.ops.notify import notify
from enrollment_server.ops.supervisor import STOPPING, Supervisor
from enrollment_server.settings import Access, ContradictionError, Limits, Settings

GRACE = 5.0  # seconds that workers have beyond the time to drain


class Seconds(click.FloatRange):
    """A number: `nan` is none, though it is out of no range."""

    def convert(self, value: Any, *rest: Any) -> Any:
        seconds = super().convert(value, *rest)
        if math.isnan(seconds):
            self.fail("nan is no number of seconds", *rest)
        return seconds


_LIMITS = Limits()
_A_SECOND_OR_MORE = Seconds(1, 10**6)


def _file(name: str, text: str) -> Callable[[Any], Any]:
    return click.option(name, type=click.Path(path_type=Path), metavar="FILE", help=text)


def _limit(name: str, text: str, **more: Any) -> Callable[[Any], Any]:
    """An option whose name and default are those of a field of Limits."""
    default = getattr(_LIMITS, name)
    kind = Seconds(0, 10**6) if isinstance(default, float) else click.IntRange(1, 2**31 - 1)
    more.setdefault("metavar", "SECONDS" if isinstance(default, float) else "N")
    flag = f"--{name.replace('_', '-')}"
    return click.option(flag, **{"type": kind, "default": default, "help": text, **more})


@command
@database_url
@click.option(
    "--listen",
    default=Settings.listen,
    metavar="ADDRESS",
    help="HOST:PORT, where port 0 picks a free one, or unix:PATH.",
)
@click.option("--migrate", is_flag=True, help="Bring the schema to the newest revision first.")
@click.option(
    "--transaction-pooling",
    is_flag=True,
    help="PostgreSQL is behind a pooler that lends connections for a transaction.",
)
@_file("--tls-cert", "The server's certificate in PEM, with what leads to a root.")
@_file("--tls-key", "Its private key in PEM.")
@_file("--tls-client-ca", "Take clients with a certificate that one of these has signed only.")
@click.option("--insecure", is_flag=True, help="Speak plain text to other machines, too.")
@_file("--policy", "Who may read and write, in TOML: reader = [...], writer = [...].")
@_file("--jwks", "Public keys of bearer tokens: a JSON Web Key Set.")
@click.option("--jwt-issuer", metavar="NAME", help="Who makes the tokens: their `iss`.")
@click.option("--jwt-audience", metavar="NAME", help="Whom they are made for: their `aud`.")
@click.option(
    "--reflection/--no-reflection",
    default=None,
    help="Describe the service to callers.  [default: on loopback and Unix sockets only]",
)
@click.option("--metrics-listen", metavar="HOST:PORT", help="Serve metrics for Prometheus here.")
@click.option("--otlp-endpoint", metavar="URL", help="Send traces there, by OTLP over gRPC.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    help="How to log; auto is text on a terminal, else json.",
)
@click.option("--hash-ids", is_flag=True, help="Log hashes in place of students' ids.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=Settings.workers,
    metavar="N",
    help="Processes that share the port, each with threads and connections of its own.",
)
@_limit("threads", "What is worked on at once: batches, and calls that are worked on alone.")
@_limit("batch_size", "Calls that are answered together at most; 1: each by itself.")
@_limit(
    "queue", "Calls in flight beyond one for each thread; more are refused: RESOURCE_EXHAUSTED."
)
@_limit("pool", "Connections to the database.")
@_limit(
    "default_timeout",
    "How long a call may take that comes without a deadline.",
    type=Seconds(0, 3600, min_open=True),
)
@_limit("drain_timeout", "How long calls in flight may take to finish on shutdown.")
@_limit("statement_timeout", "How long PostgreSQL lets a statement run; 0 is no limit.")
@_limit("idle_timeout", "How long PostgreSQL lets a transaction wait for us; 0 is no limit.")
@_limit("request_size", "The largest request message.", metavar="BYTES")
@_limit("metadata_size", "The largest metadata of a request.", metavar="BYTES")
@_limit(
    "keepalive",
    "How long a client is silent before it is asked whether it is there.",
    type=_A_SECOND_OR_MORE,
)
@_limit("keepalive_timeout", "How long it may take to answer that.", type=_A_SECOND_OR_MORE)
@_limit("client_ping", "How often a client may ask the same.", type=_A_SECOND_OR_MORE)
@_limit(
    "connection_age", "After how long a client is sent to connect anew.", type=_A_SECOND_OR_MORE
)
@_limit("connection_grace", "How long calls on that connection may go on.", type=_A_SECOND_OR_MORE)
def serve(migrate: bool, **options: Any) -> None:
    """Answer calls until SIGTERM or Ctrl-C.

    A line on standard output says when it is ready, and at which address. It does not
    start on a schema that is not at the newest revision.
    """
    settings = _settings(options)
    logging.configure(settings.log_format)
    with failing_in_a_line(settings.database_url):
        settings.access.check()
        if migrate and settings.transaction_pooling:
            raise ContradictionError(
                "--migrate contradicts --transaction-pooling: run enrollment-server migrate"
                " with the URL of PostgreSQL itself"
            )
        if migrate:
            migrate_to_head(settings.database_url)
        if settings.workers > 1:
            _serve_by_workers(settings)
        else:
            _serve_here(partial(App, settings), _say_ready, signal.SIG_DFL)


def _say_ready(address: str) -> None:
    click.echo(f"enrollment-server {__version__} is ready on {address}")
    notify("READY=1")


def _serve_here(
    make_app: Callable[[], App], ready: Callable[[str], None], second_signal: signal.Handlers
) -> None:
    """Serve until a signal comes, and drain unless a second one is to count; end the process."""
    # Before there are threads, which inherit it: if one of them took the signal, this
    # one, in which Python handles signals, would sleep on.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    app = make_app()
    address = app.start()
    # What is there by now stays: a collection that looks at all of it holds up calls for 50 ms.
    gc.collect()
    gc.freeze()
    ready(address)
    signal.sigwait(STOPPING)
    notify("STOPPING=1")
    for number in STOPPING:
        signal.signal(number, second_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    app.drain()
    # Not by returning: Python would wait for every thread, gRPC's and those that still wait
    # for the database.
    sys.stdout.flush()
    os._exit(0)


def _serve_by_workers(settings: Settings) -> None:
    """Have processes serve, on one port, until a signal comes."""
    wanted = Address.parse(settings.listen)
    if wanted.port is None:
        raise ContradictionError("--workers share a port: --listen has to be HOST:PORT")
    holder, address = wanted.reserve()
    with holder, multiprocess_metrics(settings.metrics_listen) as buried:
        theirs = replace(settings, listen=str(address), metrics_listen=None)
        patience = settings.limits.drain_timeout + GRACE
        supervisor = Supervisor(settings.workers, partial(_work, theirs), buried, patience)
        supervisor.run(partial(_say_ready, str(address)), partial(notify, "STOPPING=1"))


def _work(settings: Settings, pipe: Connection) -> None:
    """What a worker does; it ends with its supervisor, however that ended."""
    os.environ.pop("NOTIFY_SOCKET", None)  # the supervisor speaks for all
    logging.configure(settings.log_format)
    try:
        with failing_in_a_line(settings.database_url):
            app = partial(App, settings, share_port=True)
            # Whoever signals all processes has the supervisor signal the workers again.
            _serve_here(app, partial(_report, pipe), signal.SIG_IGN)
    except click.ClickException as error:
        _send(pipe, error.message)
        sys.exit(1)


def _report(pipe: Connection, _address: str) -> None:
    _send(pipe, "")
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()


def _send(pipe: Connection, text: str) -> None:
    with contextlib.suppress(OSError):  # the supervisor is gone, which `_end_with` will notice
        pipe.send(text)


def _end_with(pipe: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os.kill(os.getpid(), signal.SIGTERM)


def _settings(options: dict[str, Any]) -> Settings:
    """The options, each in its place."""

    def of(kind: type[Access] | type[Limits]) -> dict[str, Any]:
        return {field.name: options.pop(field.name) for field in fields(kind)}

    return Settings(access=Access(**of(Access)), limits=Limits(**of(Limits)), **options)
