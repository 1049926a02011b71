"""Whether a history of concurrent calls about one student could have happened one by one.

A history is linearizable if every call can be given one moment between its start and its
end such that, taken in the order of these moments, each call has the answer that a plain
dictionary of courses would have given (Herlihy and Wing, 1990). The search is that of Wing
and Gong, with Lowe's memory of where it has been.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

# The courses of the student, each with its create_time, if that is known.
State: TypeAlias = frozenset[tuple[str, int | None]]

NEVER = float("inf")


@dataclass(frozen=True)
class Associated:
    """AssociateCourses: for each course whether this call created it, and its time."""

    outcomes: tuple[tuple[str, bool, int], ...]

    def apply(self, state: State) -> State | None:
        there = dict(state)
        for course, created, time in self.outcomes:
            if created == (course in there) or (not created and there[course] not in (None, time)):
                return None
        return frozenset((there | {course: time for course, _, time in self.outcomes}).items())


@dataclass(frozen=True)
class MaybeAssociated:
    """AssociateCourses, without an answer."""

    courses: tuple[str, ...]

    def apply(self, state: State) -> State:
        return frozenset((dict.fromkeys(self.courses) | dict(state)).items())


@dataclass(frozen=True)
class Removed:
    """RemoveCourse: whether the course was there."""

    course: str
    was_there: bool

    def apply(self, state: State) -> State | None:
        without = MaybeRemoved(self.course).apply(state)
        return without if self.was_there == (without != state) else None


@dataclass(frozen=True)
class MaybeRemoved:
    """RemoveCourse, without an answer."""

    course: str

    def apply(self, state: State) -> State:
        return frozenset(pair for pair in state if pair[0] != self.course)


@dataclass(frozen=True)
class Listed:
    """ListStudentCourses: every course, in one page."""

    courses: tuple[tuple[str, int], ...]

    def apply(self, state: State) -> State | None:
        there = dict(state)
        if there.keys() != dict(self.courses).keys():
            return None
        if any(there[course] not in (None, time) for course, time in self.courses):
            return None
        return frozenset(self.courses)


Answer: TypeAlias = Associated | MaybeAssociated | Removed | MaybeRemoved | Listed


@dataclass(frozen=True)
class Call:
    """A call, from when it was made to when it was answered, by one clock.

    One without an answer ends at NEVER: it has happened, or it has yet to, or it never will.
    """

    start: int
    end: float
    answer: Answer


def linearizable(history: Iterable[Call], initial: State = frozenset()) -> bool:
    """Whether some order of these calls explains every answer."""
    in_order = sorted(history, key=lambda call: call.start)
    calls = [call for call in in_order if call.end < NEVER]
    # Of those without an answer that are alike, the first to start may as well be the first
    # to happen: so it is enough to know how many did.
    unanswered: dict[Answer, list[int]] = {}
    for call in in_order:
        if call.end == NEVER:
            unanswered.setdefault(call.answer, []).append(call.start)
    kinds = list(unanswered.items())

    todo = [(0, (0,) * len(kinds), initial)]
    seen = set(todo)
    while todo:
        done, happened, state = todo.pop()
        candidates = _may_be_next(calls, done)
        if not candidates:
            return True
        first_end = min(calls[number].end for number in candidates)
        steps = [
            (done | 1 << number, happened, calls[number].answer.apply(state))
            for number in candidates
        ]
        for place, (answer, starts) in enumerate(kinds):
            count = happened[place]
            if count < len(starts) and starts[count] <= first_end:
                after = answer.apply(state)
                if after != state:
                    counts = (*happened[:place], count + 1, *happened[place + 1 :])
                    steps.append((done, counts, after))
        # The last is tried first: what was answered.
        for done, happened, after in reversed(steps):
            if after is not None and (step := (done, happened, after)) not in seen:
                seen.add(step)
                todo.append(step)
    return False


def _may_be_next(calls: Sequence[Call], done: int) -> list[int]:
    """The calls not done that started before any call not done had ended."""
    candidates = []
    first_end = NEVER
    first = (~done & (done + 1)).bit_length() - 1
    for number in range(first, len(calls)):
        if calls[number].start > first_end:
            break
        if not done >> number & 1:
            candidates.append(number)
            first_end = min(first_end, calls[number].end)
    return candidates
