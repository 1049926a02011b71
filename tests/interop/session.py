"""What a program of version 0.1.0 of the client does: it must go on working as it is.

Run with an address, and a student who takes nothing. Prints what it got, as JSON.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from google.api.annotations_pb2 import http
from google.api.field_behavior_pb2 import field_behavior

import enrollment
from enrollment import EnrollmentClient, EnrollmentError
from enrollment.v1 import enrollment_pb2 as pb


def main(address: str, student: str) -> None:
    with EnrollmentClient(address, timeout=10) as client:
        answers = {
            "modules": [enrollment.__file__, pb.__file__],
            "options": options(),
            **calls(client, student),
        }
    json.dump(answers, sys.stdout)


def options() -> dict[str, str]:
    """What the contract says besides names, numbers and types, of each method and field."""
    methods = pb.DESCRIPTOR.services_by_name["EnrollmentService"].methods
    messages = pb.DESCRIPTOR.message_types_by_name.values()
    fields = [field for message in messages for field in message.fields]
    return {
        **{one.full_name: str(one.GetOptions().Extensions[http]) for one in methods},
        **{one.full_name: str(one.GetOptions().Extensions[field_behavior]) for one in fields},
    }


def calls(client: EnrollmentClient, student: str) -> dict[str, Any]:
    first = client.associate_courses(student, ["chess"])
    second = client.associate_courses(student, ["algebra", "chess"])
    courses = client.list_student_courses(student, page_size=1)
    return {
        "associated": [(a.course_id, a.outcome.name) for a in second],
        "the time stays": second[1].create_time == first[0].create_time,
        "listed": [(taken.course.id, taken.course.code, taken.course.title) for taken in courses],
        "pages": [len(page.courses) for page in courses.pages],
        "removed": client.remove_course(student, "chess"),
        "missing": client.remove_course(student, "chess", allow_missing=True),
        "refused": [
            refused(lambda: client.associate_courses(student, ["x", "chess", "y"])),
            refused(lambda: client.associate_courses("", ["not an id"])),
            refused(lambda: list(client.list_student_courses("eve"))),
            refused(lambda: list(client.list_student_courses(student, page_token="garbage"))),
            refused(lambda: client.remove_course(student, "chess")),
        ],
    }


def refused(call: Callable[[], object]) -> list[object]:
    """The class of the error, and what it knows beyond any other's."""
    try:
        call()
    except enrollment.InvalidArgument as error:
        return [type(error).__name__, [violation.field for violation in error.violations]]
    except enrollment.CourseNotFound as error:
        return [type(error).__name__, error.course_ids]
    except enrollment.CourseNotAssociated as error:
        return [type(error).__name__, error.student_id, error.course_id]
    except enrollment.StudentNotFound as error:
        return [type(error).__name__, error.student_id]
    except EnrollmentError as error:
        return [type(error).__name__, error.code.name]
    return []


if __name__ == "__main__":
    main(*sys.argv[1:])
