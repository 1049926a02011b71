"""The documentation builds into a site that needs no other."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, sync_playwright

from tests.support.places import ROOT

MKDOCS = ROOT / ".venv-gateway" / "bin" / "mkdocs"
CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs the Debian package chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which it was built. A link that leads nowhere fails that."""
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [MKDOCS, "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser.new_page()
        browser.close()


def test_every_page_of_docs_is_there(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}

    assert {page.parent.name for page in site.glob("docs/*/index.html")} == pages


@needs_chromium
@pytest.mark.parametrize("path", ["", "docs/reference/", "docs/openapi/"])
def test_a_page_asks_no_other_machine(path: str, url: str, browser_page: Page) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))

    browser_page.goto(f"{url}{path}", wait_until="networkidle")

    assert f"{url}{path}" in asked
    assert [address for address in asked if not address.startswith(url)] == []


@needs_chromium
def test_swagger_ui_shows_every_operation(url: str, browser_page: Page) -> None:
    document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
    operations = sum(len(path) for path in document["paths"].values())

    browser_page.goto(f"{url}docs/openapi/")
    shown = browser_page.frame_locator(".swagger-ui-iframe").locator(".opblock")
    shown.first.wait_for()

    assert shown.count() == operations
