"""What cannot be served is said in one line, and nothing is served."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from enrollment_server.db import backends
from tests.support.databases import Databases, spelled_out

Refused = Callable[..., tuple[int, str]]


@pytest.fixture
def refused(installed: Path, folder: Path) -> Refused:
    """Runs a command that is to fail; returns its exit code and what it says last."""

    def run(*arguments: str) -> tuple[int, str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ENROLLMENT_")}
        result = subprocess.run(
            [installed / "enrollment-server", *arguments],
            check=False,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        return result.returncode, result.stderr.splitlines()[-1]

    return run


def test_a_schema_not_at_head(refused: Refused, folder: Path, databases: Databases) -> None:
    url = databases.empty()
    assert refused("serve", "--database-url", spelled_out(url)) == (
        1,
        "Error: the schema is at revision none, not at 0002;"
        f" run: enrollment-server migrate --database-url {url.render_as_string()}",
    )
    assert not (folder / "enrollment.db").exists()


def test_a_port_in_use(refused: Refused, url: URL) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        flags = [
            "--database-url",
            spelled_out(url),
            "--listen",
            address,
        ]

        assert refused("serve", *flags) == (
            1,
            f"Error: cannot listen on {address}: Address already in use",
        )


@pytest.mark.parametrize("command", [["serve"], ["migrate"], ["check"], ["serve", "--migrate"]])
def test_an_unreachable_database(refused: Refused, command: list[str]) -> None:
    url = "postgresql+psycopg://me:secret@127.0.0.1:1/db"

    code, line = refused(*command, "--database-url", url)

    assert code == 1
    assert line.startswith("Error: cannot reach postgresql+psycopg://me:***@127.0.0.1:1/db: ")


@pytest.mark.parametrize("command", [["migrate"], ["check"], ["serve", "--migrate"]])
def test_a_schema_of_a_newer_version(refused: Refused, url: URL, command: list[str]) -> None:
    engine = backends.create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    flags = ["--database-url", spelled_out(url)]

    assert refused(*command, *flags) == (
        1,
        "Error: the schema is at revision 9999, which this version does not know:"
        " a newer one made it",
    )


@pytest.mark.parametrize("command", [["serve"], ["migrate"], ["check"], ["migrate", "--sql"]])
def test_a_file_that_is_no_database(refused: Refused, folder: Path, command: list[str]) -> None:
    (folder / "notes.txt").write_text("not a database, but a text that is long enough\n" * 99)

    assert refused(*command, "--database-url", "sqlite:///notes.txt") == (
        1,
        "Error: cannot use sqlite:///notes.txt: file is not a database",
    )


@pytest.mark.parametrize("command", [["migrate"], ["serve", "--migrate"]])
def test_a_role_that_may_not_create_tables(
    refused: Refused, postgresql_databases: Databases, command: list[str]
) -> None:
    url = postgresql_databases.empty()
    engine = backends.create_engine(url)
    role = f"reader_of_{url.database}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    flags = ["--database-url", spelled_out(url.set(username=role))]

    code, line = refused(*command, *flags)

    assert (code, line.split(": ")[-1]) == (1, "permission denied for schema public")


@pytest.mark.parametrize("url", ["nonsense", "mysql://me:secret@host/db", "sqlite://"])
def test_a_bad_url(refused: Refused, url: str) -> None:
    code, line = refused("serve", "--database-url", url)

    assert code == 2
    assert line.startswith("Error: Invalid value for '--database-url': ")
    assert "secret" not in line


@pytest.mark.parametrize("listen", ["50051", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"])
def test_a_bad_address(refused: Refused, sqlite_databases: Databases, listen: str) -> None:
    url = spelled_out(sqlite_databases.fresh())
    flags = ["--database-url", url, "--listen", listen]

    assert refused("serve", *flags) == (
        1,
        f"Error: '{listen}' is neither HOST:PORT nor unix:PATH",
    )


def test_a_metrics_port_in_use(refused: Refused, url: URL) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        flags = ["--listen", "127.0.0.1:0", "--metrics-listen", address]

        assert refused("serve", "--database-url", spelled_out(url), *flags) == (
            1,
            f"Error: cannot listen on {address}: Address already in use",
        )


def test_a_socket_s_path_that_is_a_file(refused: Refused, folder: Path, url: URL) -> None:
    (folder / "notes.txt").write_text("not to be lost")
    flags = ["--database-url", spelled_out(url), "--listen", "unix:notes.txt"]

    assert refused("serve", *flags) == (
        1,
        "Error: cannot listen on unix:notes.txt: it is there, and no socket",
    )
    assert (folder / "notes.txt").read_text() == "not to be lost"


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--tls-cert", "server.pem"], "--tls-cert and --tls-key go together"),
        (
            ["--tls-cert", "none.pem", "--tls-key", "none.key"],
            "cannot read none.pem: No such file or directory",
        ),
        (
            ["--listen", "0.0.0.0:50051"],
            "0.0.0.0:50051 can be reached from other machines: give --tls-cert and --tls-key,"
            " or --insecure to speak plain text all the same",
        ),
    ],
    ids=["contradiction", "missing file", "plain text"],
)
def test_access_that_cannot_be_had(refused: Refused, flags: list[str], complaint: str) -> None:
    answer = refused("serve", "--database-url", "sqlite:///none.db", *flags)

    assert answer == (1, f"Error: {complaint}")


@pytest.mark.parametrize(
    "flags",
    [
        ["--keepalive", "nan"],
        ["--default-timeout", "nan"],
        ["--request-size", "3000000000"],
        ["--otlp-endpoint", "foo bar"],
        ["--metrics-listen", "a..b:9464"],
        ["--workers", "2", "--listen", "unix:socket"],
    ],
    ids=lambda flags: flags[0],
)
def test_a_value_that_cannot_be(
    refused: Refused, sqlite_databases: Databases, flags: list[str]
) -> None:
    url = spelled_out(sqlite_databases.fresh())
    usual = ["--database-url", url, "--listen", "127.0.0.1:0"]

    code, line = refused("serve", *usual, *flags)

    assert code in (1, 2)
    assert line.startswith("Error: ")
