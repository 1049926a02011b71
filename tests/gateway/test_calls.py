"""The three calls by HTTP, through Envoy, to the real server."""

import json

import pytest

from tests.gateway.conftest import COURSES, ODD_ID, Call
from tests.support.serving import Server
from tests.support.waiting import wait_until

UUID = "2e1f5a3c-0b1d-9a4e-8c55-0a1b2c3d4e5f"


def associate(http: Call, student: str, *course_ids: str) -> list[str]:
    """The outcomes."""
    body = json.dumps({"course_ids": course_ids})
    answer = http("POST", f"/students/{student}/courses", body)
    assert answer.status == 200
    return [one["outcome"] for one in answer.json["associations"]]


def listed(http: Call, student: str) -> list[str]:
    answer = http("GET", f"/students/{student}/courses?page_size=1000")
    assert answer.status == 200
    return [one["course"]["id"] for one in answer.json["courses"]]


def test_what_is_associated_is_answered_and_listed(http: Call, student: str) -> None:
    answer = http("POST", f"/students/{student}/courses", '{"course_ids": ["chess", "algebra"]}')

    chess, algebra = answer.json["associations"]
    created = {"course_id": "chess", "outcome": "OUTCOME_CREATED"}
    assert {**created, "create_time": chess["create_time"]} == chess
    listing = http("GET", f"/students/{student}/courses")
    assert (answer.status, listing.status) == (200, 200)
    # An empty string is printed, too: whoever reads need not know what is left out.
    assert listing.json == {
        "courses": [
            {
                "course": {"id": "algebra", "code": "MAT 210", "title": "Linear Algebra"},
                "create_time": algebra["create_time"],
            },
            {
                "course": {"id": "chess", "code": "", "title": "Chess"},
                "create_time": chess["create_time"],
            },
        ],
        "next_page_token": "",
    }


def test_an_answer_says_nothing_of_grpc(http: Call, student: str) -> None:
    answer = http("GET", f"/students/{student}/courses")

    assert answer.status == 200
    assert [name for name in answer.headers if name.startswith("grpc-")] == []


def test_a_request_may_be_repeated(http: Call, student: str) -> None:
    assert associate(http, student, "chess") == ["OUTCOME_CREATED"]

    assert associate(http, student, "chess") == ["OUTCOME_ALREADY_ASSOCIATED"]


def test_tokens_lead_through_all_pages(http: Call, student: str) -> None:
    associate(http, student, *COURSES[:100])
    associate(http, student, *COURSES[100:])

    walked, token = [], ""
    while True:
        path = f"/students/{student}/courses?page_size=60&page_token={token}"
        page = http("GET", path).json
        walked.append([one["course"]["id"] for one in page["courses"]])
        if not (token := page["next_page_token"]):
            break

    assert walked == [COURSES[:60], COURSES[60:120], COURSES[120:]]


def test_a_page_may_have_more_than_envoy_keeps_of_a_stream(http: Call, student: str) -> None:
    associate(http, student, *COURSES[:100])

    answer = http("GET", f"/students/{student}/courses")

    assert len(answer.json["courses"]) == 100
    assert len(answer.body) > 64 * 1024


def test_a_course_is_removed_once(http: Call, student: str) -> None:
    associate(http, student, "chess", "algebra")

    removed = http("DELETE", f"/students/{student}/courses/chess")
    again = http("DELETE", f"/students/{student}/courses/chess")

    assert (removed.status, removed.json) == (200, {"removed": True})
    assert again.status == 404
    assert listed(http, student) == ["algebra"]


def test_a_missing_course_can_be_allowed(http: Call, student: str) -> None:
    answer = http("DELETE", f"/students/{student}/courses/chess?allow_missing=true")

    assert (answer.status, answer.json) == (200, {"removed": False})


@pytest.mark.parametrize("spelled", [ODD_ID, "%61.b_c~d:e-F9", "a%2Eb_c%7Ed%3Ae-F9"])
def test_every_character_of_an_id_may_be_in_a_path(http: Call, spelled: str) -> None:
    http("POST", f"/students/{spelled}/courses", json.dumps({"course_ids": [ODD_ID]}))

    removed = http("DELETE", f"/students/{spelled}/courses/{spelled}")

    assert (removed.status, removed.json) == (200, {"removed": True})


def test_names_in_camel_case_are_understood(http: Call, student: str) -> None:
    answer = http("POST", f"/students/{student}/courses", '{"courseIds": ["chess", "algebra"]}')
    assert answer.status == 200

    page = http("GET", f"/students/{student}/courses?pageSize=1").json

    assert len(page["courses"]) == 1


def test_the_callers_request_id_comes_back(http: Call, student: str) -> None:
    for path in (f"/students/{student}/courses", "/students/nobody/courses", "/nowhere"):
        answer = http("GET", path, headers={"x-request-id": UUID})

        assert answer.headers["x-request-id"] == UUID


def test_a_request_without_an_id_is_given_one(http: Call, student: str) -> None:
    first, second = (http("GET", f"/students/{student}/courses") for _ in range(2))

    assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_the_server_logs_the_request_id(http: Call, server: Server, student: str) -> None:
    answer = http("GET", f"/students/{student}/courses")

    wait_until(lambda: answer.headers["x-request-id"] in server.errors())
