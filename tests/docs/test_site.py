"""The documentation builds into a site that needs no other."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page

from tests.support.browser import chromium, pages
from tests.support.places import ROOT

MKDOCS = ROOT / ".venv-gateway" / "bin" / "mkdocs"


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


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with pages(site) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


def test_every_page_of_docs_is_there(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}

    assert {page.parent.name for page in site.glob("docs/*/index.html")} == pages


@pytest.mark.parametrize("path", ["", "docs/reference/", "docs/openapi/"])
def test_a_page_asks_no_other_machine(path: str, url: str, browser_page: Page) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))

    browser_page.goto(f"{url}{path}", wait_until="networkidle")

    assert f"{url}{path}" in asked
    assert [address for address in asked if not address.startswith(url)] == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", ["", "docs/reference/"])
def test_nothing_runs_off_the_edge(path: str, width: int, url: str, browser_page: Page) -> None:
    browser_page.set_viewport_size({"width": width, "height": 800})
    browser_page.goto(f"{url}{path}")

    too_wide = browser_page.evaluate("""[...document.querySelectorAll("pre > code, table")]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > Math.min(clientWidth, innerWidth))
      .map(({ textContent }) => textContent)""")

    assert too_wide == []


def test_swagger_ui_offers_nothing_to_call(url: str, browser_page: Page) -> None:
    browser_page.goto(f"{url}docs/openapi/")
    page = browser_page.frame_locator(".swagger-ui-iframe")
    page.locator(".opblock").first.wait_for()

    offered = page.locator(":is(.servers, .authorize, .authorization__btn, .try-out):visible")

    assert offered.count() == 0


def test_swagger_ui_shows_every_operation(url: str, browser_page: Page) -> None:
    document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
    operations = sum(len(path) for path in document["paths"].values())

    browser_page.goto(f"{url}docs/openapi/")
    shown = browser_page.frame_locator(".swagger-ui-iframe").locator(".opblock")
    shown.first.wait_for()

    assert shown.count() == operations
