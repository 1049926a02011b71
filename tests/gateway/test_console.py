"""A real browser: the console at /docs, and pages that call by gRPC-Web."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import BrowserContext, Locator, Page
from scripts import gateway

from tests.support.browser import chromium, pages
from tests.support.databases import Databases
from tests.support.gateway import call, envoy
from tests.support.places import BIN, ROOT
from tests.support.sample import sample_database
from tests.support.serving import free_address, serving_process
from tests.support.typescript import Project

DOCUMENT = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
OPERATIONS = {one["operationId"] for path in DOCUMENT["paths"].values() for one in path.values()}


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """One for all, so that it has read the script of Swagger UI once."""
    with chromium() as browser:
        yield browser.new_context()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that has an empty page."""
    folder = tmp_path_factory.mktemp("portal")
    (folder / "index.html").write_text("<!doctype html><link rel=icon href=data:,>")
    with pages(folder) as port:
        yield port


@pytest.fixture(scope="module")
def address(sqlite_databases: Databases, portal: int) -> Iterator[str]:
    """Of a gateway to the sample university, which pages of the portal may call."""
    url = sample_database(sqlite_databases)
    with serving_process(BIN / "enrollment-server", url) as server:
        config = gateway.local(free_address(), server.address)
        [host] = gateway.connection_manager(config)["route_config"]["virtual_hosts"]
        [cors] = host["typed_per_filter_config"].values()
        cors["allow_origin_string_match"] = [{"exact": f"http://127.0.0.1:{portal}"}]
        with envoy(config) as address:
            yield address


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(20_000)
    yield page
    page.close()


class Console:
    """The page at /docs, in the hands of somebody."""

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        page.goto(f"http://{address}/docs")
        self.operations.first.wait_for()

    @property
    def operations(self) -> Locator:
        return self._page.locator(".opblock")

    def execute(
        self, method: str, body: object = None, **parameters: str
    ) -> tuple[str | None, Any]:
        """Fill in the form of a method, which nobody has opened yet. The status and the JSON shown.

        What is not given stays as the console has filled it in.
        """
        operation = self._page.locator(f"#operations-EnrollmentService-{method}")
        operation.locator(".opblock-summary-control").click()
        for name, value in parameters.items():
            operation.locator(f"[data-param-name={name}]").get_by_role("textbox").fill(value)
        if body is not None:
            operation.locator(".body-param__text").fill(json.dumps(body))
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table .response")
        shown = answer.locator(".response-col_description pre code").first.text_content()
        return answer.locator(".response-col_status").text_content(), json.loads(shown or "")


@pytest.fixture
def console(page: Page, address: str) -> Console:
    return Console(page, address)


class TestConsole:
    def test_it_shows_every_method(self, console: Console) -> None:
        shown = {one.get_attribute("id") for one in console.operations.all()}

        assert shown == {f"operations-EnrollmentService-{name}" for name in OPERATIONS}

    def test_a_call_can_be_tried_as_it_is_filled_in(self, console: Console) -> None:
        status, answer = console.execute("ListStudentCourses")

        ids = [one["course"]["id"] for one in answer["courses"]]
        assert (status, ids) == ("200", ["cs-310", "phi-101", "phy-210", "sta-201"])

    def test_what_is_associated_is_listed(self, console: Console) -> None:
        student = "s-10002"
        courses = {"course_ids": ["mus-220"]}

        status, answer = console.execute("AssociateCourses", courses, student_id=student)
        _, page = console.execute("ListStudentCourses", student_id=student)

        assert (status, answer["associations"][0]["outcome"]) == ("200", "OUTCOME_CREATED")
        assert "mus-220" in [one["course"]["id"] for one in page["courses"]]

    def test_a_course_is_removed_as_it_is_filled_in(self, console: Console) -> None:
        status, answer = console.execute("RemoveCourse")
        _, page = console.execute("ListStudentCourses", student_id="s-10007")

        assert (status, answer) == ("200", {"removed": True})
        assert "phy-210" not in [one["course"]["id"] for one in page["courses"]]

    def test_it_offers_no_server_that_its_policy_keeps_it_from(
        self, console: Console, page: Page
    ) -> None:
        offered = page.locator(".servers option").all()

        assert [one.get_attribute("value") for one in offered] == ["/"]

    def test_a_refusal_is_shown_with_its_reason(self, console: Console) -> None:
        status, answer = console.execute("ListStudentCourses", student_id="nobody")

        assert (status, answer["details"][0]["reason"]) == ("404", "STUDENT_NOT_FOUND")

    def test_it_asks_no_other_machine_and_complains_of_nothing(
        self, page: Page, address: str
    ) -> None:
        """Browsers complain of what the page's policy keeps it from."""
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(error.message))

        Console(page, address).execute("ListStudentCourses")

        own = f"http://{address}/"
        assert f"{own}students/s-10001/courses" in asked
        assert [url for url in asked if not url.startswith((own, "data:"))] == []
        assert complaints == []

    def test_its_policy_keeps_it_from_other_machines(
        self, page: Page, address: str, portal: int
    ) -> None:
        """The server of the portal would answer."""
        page.goto(f"http://{address}/docs", wait_until="commit")
        ask = "url => fetch(url, {mode: 'no-cors'}).then(() => 'answered', () => 'kept from it')"

        assert page.evaluate(ask, f"http://127.0.0.1:{portal}/") == "kept from it"


class TestFiles:
    @pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/?x=1"])
    def test_the_page_has_both_spellings(self, address: str, path: str) -> None:
        answer = call(address, "GET", path)

        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")

    def test_the_document_is_that_of_the_repository(self, address: str) -> None:
        answer = call(address, "GET", "/docs/openapi.yaml")

        assert (answer.status, answer.headers["content-type"]) == (200, "application/yaml")
        assert answer.body == (ROOT / "docs" / "openapi.yaml").read_bytes()

    @pytest.mark.parametrize("path", ["/docs", "/docs/openapi.yaml"])
    def test_they_can_be_asked_for_by_head(self, address: str, path: str) -> None:
        answer = call(address, "HEAD", path)

        assert (answer.status, answer.body) == (200, b"")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
    def test_they_are_read_alone(self, address: str, method: str) -> None:
        answer = call(address, method, "/docs/openapi.yaml")

        assert (answer.status, answer.refusal.code) == (405, "UNIMPLEMENTED")
        assert answer.headers["allow"] == "GET, HEAD"

    @pytest.mark.parametrize("path", ["/docs/nothing", "/docs/openapi.yaml/", "/docsx"])
    def test_beside_them_there_is_nothing(self, address: str, path: str) -> None:
        answer = call(address, "GET", path)

        assert (answer.status, answer.refusal.code) == (404, "NOT_FOUND")


@pytest.fixture(scope="module")
def bundle(browser: BrowserContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script by which a page calls. Only made where there is a browser."""
    return Project(tmp_path_factory.mktemp("pages") / "typescript").bundle()


class TestGrpcWeb:
    """connect-web, in a page."""

    @pytest.fixture
    def page(self, page: Page, bundle: Path) -> Page:
        """One that has the script, wherever it goes."""
        page.add_init_script(path=bundle)
        return page

    def call(self, page: Page, address: str, method: str, request: object) -> Any:
        """The answer, or what the error says."""
        script = """async ([url, method, request]) => {
          const withoutBigInts = (_, value) => typeof value === "bigint" ? Number(value) : value;
          const answer = enrollment(url)[method](request).catch(refusal);
          return JSON.parse(JSON.stringify(await answer, withoutBigInts));
        }"""
        return page.evaluate(script, [f"http://{address}", method, request])

    def test_a_page_of_the_gateway_calls_every_method(self, page: Page, address: str) -> None:
        student = {"studentId": "s-10003"}
        page.goto(f"http://{address}/docs", wait_until="commit")

        created = self.call(
            page, address, "associateCourses", {**student, "courseIds": ["mus-220"]}
        )
        listed = self.call(page, address, "listStudentCourses", student)
        removed = self.call(page, address, "removeCourse", {**student, "courseId": "mus-220"})

        assert [one["courseId"] for one in created["associations"]] == ["mus-220"]
        assert "mus-220" in [one["course"]["id"] for one in listed["courses"]]
        assert removed["removed"] is True

    @pytest.mark.parametrize(
        ("method", "asked", "told"),
        [
            (
                "associateCourses",
                {"studentId": "s-10001", "courseIds": ["cs-310", "x-1", "x-2"]},
                ("NotFound", "COURSE_NOT_FOUND", {"course_ids": "x-1,x-2"}, {}),
            ),
            (
                "removeCourse",
                {"studentId": "s-10001", "courseId": "mus-220"},
                (
                    "NotFound",
                    "COURSE_NOT_ASSOCIATED",
                    {"student_id": "s-10001", "course_id": "mus-220"},
                    {},
                ),
            ),
            (
                "associateCourses",
                {"studentId": "s-10001", "courseIds": ["cs-310", "cs 410", ""]},
                (
                    "InvalidArgument",
                    "INVALID_REQUEST",
                    {},
                    {"course_ids[1]": "is not an id", "course_ids[2]": "is required"},
                ),
            ),
        ],
        ids=lambda value: value[1] if isinstance(value, tuple) else None,
    )
    def test_it_is_told_why_a_call_is_refused(
        self, page: Page, address: str, method: str, asked: object, told: object
    ) -> None:
        page.goto(f"http://{address}/docs", wait_until="commit")

        refusal = self.call(page, address, method, asked)

        violations = {one["field"]: one["description"] for one in refusal["violations"]}
        assert (refusal["code"], refusal["reason"], refusal["metadata"], violations) == told

    def test_so_is_a_page_of_an_origin_that_may_call(
        self, page: Page, address: str, portal: int
    ) -> None:
        page.goto(f"http://127.0.0.1:{portal}/")

        listed = self.call(page, address, "listStudentCourses", {"studentId": "s-10001"})
        refusal = self.call(page, address, "listStudentCourses", {"studentId": "nobody"})

        assert len(listed["courses"]) == 4
        assert refusal["reason"] == "STUDENT_NOT_FOUND"

    def test_a_page_of_another_origin_learns_nothing(
        self, page: Page, address: str, portal: int
    ) -> None:
        page.goto(f"http://localhost:{portal}/")  # by another name, it is another

        refusal = self.call(page, address, "listStudentCourses", {"studentId": "s-10001"})

        assert (refusal["code"], refusal["message"]) == ("Unknown", "Failed to fetch")
