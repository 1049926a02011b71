"""Students and courses to test with."""

from sqlalchemy import URL

from enrollment_server.db import backends
from enrollment_server.db.bulk import Bulk

STUDENTS = [("ada", "Ada", "ada@example.edu"), ("bob", "Bob", None)]
COURSES = [
    ("algebra", "MAT 210", "Linear Algebra"),
    ("Biology", "BIO 101", "General Biology"),
    ("chess", None, "Chess"),
]


def insert_students_and_courses(url: URL, *more_courses: str) -> None:
    """Two students, and three courses whose byte order is not the order of a dictionary."""
    engine = backends.create_engine(url)
    bulk = Bulk(engine)
    bulk.upsert_students(STUDENTS)
    bulk.upsert_courses([*COURSES, *((course_id, None, course_id) for course_id in more_courses)])
