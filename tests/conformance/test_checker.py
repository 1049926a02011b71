"""The checker of histories finds what is wrong, and nothing else."""

import pytest

from tests.support.linearizability import (
    NEVER,
    Answer,
    Associated,
    Call,
    Listed,
    MaybeAssociated,
    MaybeRemoved,
    Removed,
    linearizable,
)

CREATED = Associated((("c", True, 1),))
ALREADY = Associated((("c", False, 1),))
REMOVED = Removed("c", was_there=True)
NOT_THERE = Removed("c", was_there=False)
MAYBE_ASSOCIATED = MaybeAssociated(("c",))
MAYBE_REMOVED = MaybeRemoved("c")
EMPTY = Listed(())
FULL = Listed((("c", 1),))


def one_by_one(*answers: Answer) -> list[Call]:
    return [Call(2 * i, 2 * i + 1, answer) for i, answer in enumerate(answers)]


def at_once(*answers: Answer) -> list[Call]:
    return [Call(i, 100 + i, answer) for i, answer in enumerate(answers)]


@pytest.mark.parametrize(
    "history",
    [
        [],
        one_by_one(EMPTY, CREATED, FULL, ALREADY, REMOVED, EMPTY, NOT_THERE),
        one_by_one(CREATED, REMOVED, Associated((("c", True, 2),)), Listed((("c", 2),))),
        at_once(ALREADY, CREATED, ALREADY),
        at_once(FULL, EMPTY, REMOVED, NOT_THERE, CREATED, FULL, EMPTY),
        # A long call, and others that come and go meanwhile.
        [Call(0, 100, CREATED), *one_by_one(EMPTY, EMPTY, FULL, FULL)],
        # Without an answer it has happened, or has yet to, or never will.
        [Call(0, NEVER, MAYBE_REMOVED), *one_by_one(CREATED, EMPTY)],
        [Call(0, NEVER, MAYBE_REMOVED), *one_by_one(CREATED, FULL, NOT_THERE, EMPTY)],
        [Call(0, NEVER, MAYBE_REMOVED), *one_by_one(CREATED, FULL)],
        [Call(0, NEVER, MAYBE_ASSOCIATED), *one_by_one(EMPTY, FULL, ALREADY, REMOVED)],
        [Call(0, NEVER, MAYBE_ASSOCIATED), *one_by_one(ALREADY, FULL)],
        [Call(0, NEVER, MAYBE_ASSOCIATED), *one_by_one(EMPTY)],
    ],
)
def test_a_history_that_has_an_order_is_accepted(history: list[Call]) -> None:
    assert linearizable(history)


@pytest.mark.parametrize(
    "history",
    [
        one_by_one(FULL),  # out of nowhere
        one_by_one(ALREADY),
        one_by_one(REMOVED),
        one_by_one(CREATED, EMPTY),  # lost
        one_by_one(CREATED, NOT_THERE),
        one_by_one(CREATED, REMOVED, FULL),  # back again
        one_by_one(CREATED, CREATED),  # made twice
        at_once(CREATED, CREATED),
        at_once(CREATED, REMOVED, REMOVED),
        at_once(CREATED, Associated((("c", False, 2),))),  # another time
        one_by_one(CREATED, Listed((("c", 2),))),
        # A call that was over saw what a later one did.
        [Call(0, 1, FULL), Call(2, 3, CREATED)],
        # Half of one call was seen before the other half.
        [
            Call(0, 100, Associated((("a", True, 1), ("b", True, 1)))),
            Call(1, 2, Listed((("a", 1),))),
        ],
        # It answers as of two moments: "a" as before its removal, "b" as after the list.
        [
            Call(0, 1, Associated((("a", True, 1),))),
            Call(2, 100, Associated((("a", False, 1), ("b", True, 2)))),
            Call(3, 4, Removed("a", was_there=True)),
            Call(5, 6, EMPTY),
        ],
        # Seen by one, and then by another no more, though nobody removed it.
        [Call(0, 100, CREATED), Call(1, 2, FULL), Call(3, 4, EMPTY)],
        # Without an answer, but it was not made yet.
        [*one_by_one(FULL), Call(2, NEVER, MAYBE_ASSOCIATED)],
        # It happened twice.
        [Call(0, NEVER, MAYBE_REMOVED), *one_by_one(CREATED, EMPTY, CREATED, EMPTY)],
        # Its time changed.
        [Call(0, NEVER, MAYBE_ASSOCIATED), *one_by_one(FULL, Listed((("c", 2),)))],
        # Half of it happened.
        [Call(0, NEVER, MaybeAssociated(("a", "c"))), *one_by_one(FULL)],
    ],
)
def test_a_history_that_has_none_is_refused(history: list[Call]) -> None:
    assert not linearizable(history)
