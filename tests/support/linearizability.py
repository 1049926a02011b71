"""Whether a history of concurrent calls about one student could have happened one by one.

A history is linearizable if every call can be given one moment between its start and its
end such that, taken in the order of these moments, each call has the answer that a plain
dictionary of courses would have given (Herlihy and Wing, 1990). The search is that of Wing
and Gong, with Lowe's memory of where it has been.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

# The courses of the student, each with its create_time.
State: TypeAlias = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Associated:
    """AssociateCourses: for each course whether this call created it, and its time."""

    outcomes: tuple[tuple[str, bool, int], ...]

    def apply(self, state: State) -> list[State]:
        there = dict(state)
        for course, created, time in self.outcomes:
            if created == (course in there) or (not created and there[course] != time):
                return []
        return [state | {(course, time) for course, _, time in self.outcomes}]


@dataclass(frozen=True)
class Removed:
    """RemoveCourse: whether the course was there."""

    course: str
    was_there: bool

    def apply(self, state: State) -> list[State]:
        without = frozenset(pair for pair in state if pair[0] != self.course)
        return [without] if self.was_there == (without != state) else []


@dataclass(frozen=True)
class Listed:
    """ListStudentCourses: every course, in one page."""

    courses: tuple[tuple[str, int], ...]

    def apply(self, state: State) -> list[State]:
        return [state] if tuple(sorted(state)) == self.courses else []


@dataclass(frozen=True)
class MaybeRemoved:
    """RemoveCourse, without an answer: it happened, or it did not, or it has yet to."""

    course: str

    def apply(self, state: State) -> list[State]:
        return [state, frozenset(pair for pair in state if pair[0] != self.course)]


Answer: TypeAlias = Associated | Removed | Listed | MaybeRemoved


@dataclass(frozen=True)
class Call:
    """A call, from when it was made to when it was answered, by one clock."""

    start: int
    end: int
    answer: Answer


def linearizable(history: Iterable[Call], initial: State = frozenset()) -> bool:
    """Whether some order of these calls explains every answer."""
    calls = sorted(history, key=lambda call: call.start)
    everything = (1 << len(calls)) - 1
    todo = [(0, initial)]
    seen = set(todo)
    while todo:
        done, state = todo.pop()
        if done == everything:
            return True
        for number in _may_be_next(calls, done):
            for after in calls[number].answer.apply(state):
                step = (done | 1 << number, after)
                if step not in seen:
                    seen.add(step)
                    todo.append(step)
    return False


def _may_be_next(calls: Sequence[Call], done: int) -> list[int]:
    """The calls not done that started before any call not done had ended."""
    candidates = []
    first_end: float = float("inf")
    for number, call in enumerate(calls):
        if call.start > first_end:
            break
        if not done >> number & 1:
            candidates.append(number)
            first_end = min(first_end, call.end)
    return candidates
