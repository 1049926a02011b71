"""So many at a time, each in its turn."""

from concurrent.futures import ThreadPoolExecutor

from enrollment_server.db.slots import Slots
from tests.support.waiting import wait_until


def never() -> bool:
    return False


def test_there_are_so_many() -> None:
    slots = Slots(2)

    assert [slots.take(never), slots.take(never), slots.take(lambda: True)] == [True, True, False]


def test_who_came_first_has_it_first_also_before_who_takes_it_again_and_again() -> None:
    slots = Slots(1)
    slots.take(never)
    order = []

    def take(name: str) -> None:
        assert slots.take(never)
        order.append(name)
        slots.give_back()

    with ThreadPoolExecutor(2) as threads:
        for count, name in enumerate(["first", "second"], 1):
            threads.submit(take, name)
            wait_until(lambda count=count: len(slots._waiting) == count)  # type: ignore[misc]
        slots.give_back()
        take("again")

    assert order == ["first", "second", "again"]


def test_who_waits_in_vain_keeps_none() -> None:
    slots = Slots(1)
    slots.take(never)

    assert not slots.take(lambda: True)
    slots.give_back()
    assert slots.take(never)
