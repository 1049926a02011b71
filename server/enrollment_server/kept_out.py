"""Keys that are kept out of batches, since somebody may find them locked.

Whoever shares a key with a request that is worked on alone is worked on alone as well. What
nothing was in the way of, batches may have again; what was locked is remembered for a while.

Nothing here may be used by two threads at a time, but for `Hold.doubt`.
"""

import time
from collections.abc import Hashable, Iterable

MEMORY = 1.0  # seconds for which it is known what was locked


class _Key:
    count = 0  # of those who keep it out
    locked_at = 0.0  # when one of those was last found locked
    let_in = False  # again, since one of those found nothing in its way
    was_let_in = False  # before, and then a batch failed with it


class KeptOut:
    """What is kept out of the batches of one batcher."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, _Key] = {}

    def among(self, keys: Iterable[Hashable]) -> list[Hashable]:
        """Those of the keys that are kept out."""
        return [key for key in keys if (kept := self._keys.get(key)) and not kept.let_in]

    def keep(self, hold: "Hold", keys: Iterable[Hashable]) -> None:
        """Keep these keys out, for as long as one who is worked on alone has the `hold`."""
        for key in keys:
            if key not in hold:
                kept = self._keys.setdefault(key, _Key())
                kept.count += 1
                hold[key] = kept

    def let_in(self, hold: "Hold", *, quickly: bool = False) -> None:
        """End a hold; `quickly` if nothing was in the way of whoever had it."""
        for key, kept in hold.items():
            kept.count -= 1
            if kept.count == 0 and not kept.locked_at:
                del self._keys[key]
            elif quickly and not kept.was_let_in:
                # The next need not be alone. Once: this one may have had nothing to do with
                # what is locked, such as a course that it had before.
                kept.let_in = True

    def failed(self, keys: Iterable[Hashable]) -> None:
        """A batch with these keys failed: what was let in is not let in again."""
        for key in keys:
            kept = self._keys.get(key)
            if kept and kept.let_in:
                kept.let_in, kept.was_let_in = False, True

    def forget(self) -> None:
        """Forget what was locked a while ago, and nobody keeps out."""
        past = time.monotonic() - MEMORY
        for key, kept in list(self._keys.items()):
            if kept.count == 0 and kept.locked_at < past:
                del self._keys[key]


class Hold(dict[Hashable, _Key]):
    """What one request keeps out."""

    __slots__ = ()

    def found_locked(self) -> None:
        """Something of it is locked, right now."""
        now = time.monotonic()
        for kept in self.values():
            kept.locked_at = now

    def doubt(self) -> list[float]:
        """Whose is the least, has its turn: when was locked what shares keys with it?

        So all that is locked is tried in turn, however many want it, and what only shares
        something with that comes before what shares more. Empty if nothing was locked.
        """
        return sorted((kept.locked_at for kept in self.values() if kept.locked_at), reverse=True)
