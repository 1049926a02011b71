"""Pages: their sizes and their tokens (AIP-158)."""

import base64
import re
from collections.abc import Callable

import pytest
from sqlalchemy import URL, Engine, text

from enrollment_server.db import backends
from enrollment_server.rpc import page_token
from tests.support.api import Api
from tests.support.databases import Databases
from tests.support.rows import insert_students_and_courses
from tests.support.service import service_of


class TestPageSize:
    @pytest.fixture
    def course_count(self) -> int:
        return 1001

    @pytest.fixture
    def api(self, url: URL, engine: Engine, course_count: int) -> Api:
        ids = [f"c{number:04}" for number in range(course_count)]
        insert_students_and_courses(url, *ids)
        api = Api(service_of(engine))
        for start in range(0, course_count, 100):
            api.associate("ada", *ids[start : start + 100])
        return api

    @pytest.mark.parametrize(
        ("asked", "given"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)]
    )
    def test_defaults_to_100_and_ends_at_1000(self, api: Api, asked: int, given: int) -> None:
        response = api.list_courses("ada", asked)

        assert len(response.courses) == given
        assert response.next_page_token

    def test_may_change_between_pages(self, api: Api) -> None:
        found: list[str] = []
        token = ""
        for size in (1, 2, 0, 500, 1000):
            response = api.list_courses("ada", size, token)
            found += [taken.course.id for taken in response.courses]
            token = response.next_page_token

        assert found == [f"c{number:04}" for number in range(1001)]
        assert token == ""


class TestPageToken:
    @pytest.fixture
    def token(self, api: Api) -> str:
        """A token of ada's, from a list of three courses by ones."""
        api.associate("ada", "chess", "algebra", "Biology")
        api.associate("bob", "chess", "algebra", "Biology")
        return str(api.list_courses("ada", 1).next_page_token)

    def test_leads_through_all_courses_and_ends(self, api: Api, token: str) -> None:
        second = api.list_courses("ada", 1, token)
        third = api.list_courses("ada", 1, second.next_page_token)

        assert [second.courses[0].course.id, third.courses[0].course.id] == ["algebra", "chess"]
        assert third.next_page_token == ""

    @pytest.mark.parametrize("size", [3, 4, 0])
    def test_is_not_given_with_the_last_page(self, api: Api, token: str, size: int) -> None:
        assert api.list_courses("ada", size).next_page_token == ""

    def test_is_url_safe(self, token: str) -> None:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", token)

    def test_is_good_on_another_server_of_the_same_database(
        self, api: Api, token: str, engine: Engine
    ) -> None:
        other = Api(service_of(engine))

        assert other.list_courses("ada", 5, token) == api.list_courses("ada", 5, token)

    def test_is_good_after_its_course_has_gone(self, api: Api, token: str) -> None:
        api.remove("ada", "Biology")

        assert [t.course.id for t in api.list_courses("ada", 5, token).courses] == [
            "algebra",
            "chess",
        ]

    def test_of_another_student_is_refused(self, api: Api, token: str) -> None:
        answer = api.list_courses("bob", 1, token)

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")
        assert list(answer.violations) == ["page_token"]

    def test_made_by_someone_else_for_no_possible_course_is_refused(self, api: Api) -> None:
        answer = api.list_courses("ada", 1, page_token.encode("ada", "a\0b"))

        assert answer.reason == "PAGE_TOKEN_INVALID"

    def test_altered_in_any_place_is_refused(self, api: Api, token: str) -> None:
        for place, letter in enumerate(token):
            for other in {"A", "B", "-", "_"} - {letter}:
                altered = token[:place] + other + token[place + 1 :]
                assert api.list_courses("ada", 1, altered).reason == "PAGE_TOKEN_INVALID", altered

    @pytest.mark.parametrize(
        "alter",
        [
            lambda token: token[:-1],
            lambda token: token[1:],
            lambda token: token + "A",
            lambda token: token + "=",
            lambda token: token + "\n",
            lambda token: " " + token,
            lambda token: token[:4] + "\n" + token[4:],
            lambda token: token + token,
            lambda token: token * 100_000,
            lambda token: token.lower(),
            lambda _token: "algebra",
            lambda _token: "0",
            lambda _token: "\0",
            lambda _token: "é",
            lambda _token: base64.urlsafe_b64encode(b"\x01" + b"\xff" * 40).decode(),
        ],
    )
    def test_that_is_garbage_is_refused(
        self, api: Api, token: str, alter: Callable[[str], str]
    ) -> None:
        answer = api.list_courses("ada", 1, alter(token))

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


def test_a_course_may_lack_a_title_in_a_table_that_was_there_first(
    postgresql_databases: Databases,
) -> None:
    url = postgresql_databases.fresh()
    insert_students_and_courses(url)
    engine = backends.create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE courses ALTER COLUMN title DROP NOT NULL"))
        connection.execute(text("UPDATE courses SET title = NULL"))
    api = Api(service_of(engine))
    api.associate("ada", "chess")

    [taken] = api.list_courses("ada").courses

    assert (taken.course.id, taken.course.title) == ("chess", "")
