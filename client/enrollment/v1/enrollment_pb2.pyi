import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_PAGE_TOKEN_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_STUDENT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_COURSE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_COURSE_NOT_ASSOCIATED: _ClassVar[ErrorReason]
    ERROR_REASON_DATABASE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_SHUTTING_DOWN: _ClassVar[ErrorReason]
    ERROR_REASON_UNAUTHENTICATED: _ClassVar[ErrorReason]
    ERROR_REASON_PERMISSION_DENIED: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_PAGE_TOKEN_INVALID: ErrorReason
ERROR_REASON_STUDENT_NOT_FOUND: ErrorReason
ERROR_REASON_COURSE_NOT_FOUND: ErrorReason
ERROR_REASON_COURSE_NOT_ASSOCIATED: ErrorReason
ERROR_REASON_DATABASE_UNAVAILABLE: ErrorReason
ERROR_REASON_CONFLICT: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_SHUTTING_DOWN: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_PERMISSION_DENIED: ErrorReason

class AssociateCoursesRequest(_message.Message):
    __slots__ = ("student_id", "course_ids")
    STUDENT_ID_FIELD_NUMBER: _ClassVar[int]
    COURSE_IDS_FIELD_NUMBER: _ClassVar[int]
    student_id: str
    course_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, student_id: _Optional[str] = ..., course_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AssociateCoursesResponse(_message.Message):
    __slots__ = ("associations",)
    ASSOCIATIONS_FIELD_NUMBER: _ClassVar[int]
    associations: _containers.RepeatedCompositeFieldContainer[CourseAssociation]
    def __init__(self, associations: _Optional[_Iterable[_Union[CourseAssociation, _Mapping]]] = ...) -> None: ...

class CourseAssociation(_message.Message):
    __slots__ = ("course_id", "outcome", "create_time")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[CourseAssociation.Outcome]
        OUTCOME_CREATED: _ClassVar[CourseAssociation.Outcome]
        OUTCOME_ALREADY_ASSOCIATED: _ClassVar[CourseAssociation.Outcome]
    OUTCOME_UNSPECIFIED: CourseAssociation.Outcome
    OUTCOME_CREATED: CourseAssociation.Outcome
    OUTCOME_ALREADY_ASSOCIATED: CourseAssociation.Outcome
    COURSE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    course_id: str
    outcome: CourseAssociation.Outcome
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, course_id: _Optional[str] = ..., outcome: _Optional[_Union[CourseAssociation.Outcome, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListStudentCoursesRequest(_message.Message):
    __slots__ = ("student_id", "page_size", "page_token")
    STUDENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    student_id: str
    page_size: int
    page_token: str
    def __init__(self, student_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListStudentCoursesResponse(_message.Message):
    __slots__ = ("courses", "next_page_token")
    COURSES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    courses: _containers.RepeatedCompositeFieldContainer[StudentCourse]
    next_page_token: str
    def __init__(self, courses: _Optional[_Iterable[_Union[StudentCourse, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class StudentCourse(_message.Message):
    __slots__ = ("course", "create_time")
    COURSE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    course: Course
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, course: _Optional[_Union[Course, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Course(_message.Message):
    __slots__ = ("id", "code", "title")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    code: str
    title: str
    def __init__(self, id: _Optional[str] = ..., code: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class RemoveCourseRequest(_message.Message):
    __slots__ = ("student_id", "course_id", "allow_missing")
    STUDENT_ID_FIELD_NUMBER: _ClassVar[int]
    COURSE_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    student_id: str
    course_id: str
    allow_missing: bool
    def __init__(self, student_id: _Optional[str] = ..., course_id: _Optional[str] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class RemoveCourseResponse(_message.Message):
    __slots__ = ("removed",)
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    removed: bool
    def __init__(self, removed: _Optional[bool] = ...) -> None: ...
