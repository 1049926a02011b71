"""Several observers of calls, as one."""

from enrollment_server.calls import Call, Observer


class Observers:
    """Tells each of them."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def started(self, method: str) -> None:
        for observer in self._observers:
            observer.started(method)

    def ended(self, call: Call) -> None:
        for observer in self._observers:
            observer.ended(call)
