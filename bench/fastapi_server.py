"""What many would write: the same three HTTP endpoints with FastAPI and SQLAlchemy's ORM.

A session for each request, from a dependency; the handlers are functions, which FastAPI runs
in its threads; one process of uvicorn, with its fast loop and parser.
"""

import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import Session, joinedload

from bench.statements import count_statements
from enrollment_server.db.models import Course, Student, StudentCourses

app = FastAPI()
[url, counted] = sys.argv[1:]
# As many connections as FastAPI has threads. With fewer, they all come to wait for a connection
# while those who hold one wait for a thread: then nothing moves until the pool gives up.
engine = create_engine(url, pool_size=40, max_overflow=0)
count_statements(counted)

if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")


def session_of_a_request() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


InSession = Annotated[Session, Depends(session_of_a_request)]


class CourseOut(BaseModel):
    id: str
    code: str | None
    title: str


class StudentCourseOut(BaseModel):
    course: CourseOut
    create_time: datetime


class Page(BaseModel):
    courses: list[StudentCourseOut]
    next_page_token: str


class Wanted(BaseModel):
    course_ids: list[str]


class Association(BaseModel):
    course_id: str
    created: bool
    create_time: datetime


class Associations(BaseModel):
    associations: list[Association]


class Removed(BaseModel):
    removed: bool


@app.get("/students/{student_id}/courses")
def list_courses(
    student_id: str, session: InSession, page_size: int = 100, page_token: str = ""
) -> Page:
    known_student(session, student_id)
    taken = session.scalars(
        select(StudentCourses)
        .options(joinedload(StudentCourses.course))
        .where(StudentCourses.student_id == student_id, StudentCourses.course_id > page_token)
        .order_by(StudentCourses.course_id)
        .limit(page_size + 1)
    ).all()
    courses = [
        StudentCourseOut(
            course=CourseOut(id=one.course.id, code=one.course.code, title=one.course.title),
            create_time=one.create_time,
        )
        for one in taken[:page_size]
    ]
    return Page(
        courses=courses, next_page_token=courses[-1].course.id if len(taken) > page_size else ""
    )


@app.post("/students/{student_id}/courses")
def associate(student_id: str, wanted: Wanted, session: InSession) -> Associations:
    known_student(session, student_id)
    known = session.scalars(select(Course.id).where(Course.id.in_(wanted.course_ids))).all()
    if unknown := set(wanted.course_ids) - set(known):
        raise HTTPException(404, f"no such courses: {', '.join(sorted(unknown))}")
    there = {
        one.course_id: one
        for one in session.scalars(
            select(StudentCourses).where(
                StudentCourses.student_id == student_id,
                StudentCourses.course_id.in_(wanted.course_ids),
            )
        )
    }
    now = datetime.now(UTC)
    associations = [
        Association(
            course_id=course_id,
            created=course_id not in there,
            create_time=there[course_id].create_time if course_id in there else now,
        )
        for course_id in wanted.course_ids
    ]
    session.add_all(
        StudentCourses(student_id=student_id, course_id=one.course_id, create_time=now)
        for one in associations
        if one.created
    )
    session.commit()
    return Associations(associations=associations)


@app.delete("/students/{student_id}/courses/{course_id}")
def remove(student_id: str, course_id: str, session: InSession) -> Removed:
    known_student(session, student_id)
    association = session.get(StudentCourses, (student_id, course_id))
    if association is None:
        raise HTTPException(404, "not associated")
    session.delete(association)
    session.commit()
    return Removed(removed=True)


def known_student(session: Session, student_id: str) -> None:
    if session.get(Student, student_id) is None:
        raise HTTPException(404, "no such student")


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print("ready on", f"127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, access_log=False, log_level="warning")
    uvicorn.Server(config).run([listening])
