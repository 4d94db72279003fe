"""The threads of one process that wait for the budget: one behind the other, so that only the first looks."""

from __future__ import annotations

import os
import threading
from bisect import insort
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event


class _Stander(NamedTuple):
    place: int
    order: int
    is_first: Event


class Line:
    """Keeps the waiting threads in the order of their places.

    The queue of the ledger lets nobody pass, so who stands behind another thread of this process need not look whether
    it is granted: a thousand threads cost what one does.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._standers: list[_Stander] = []
        self._joined = 0

    @contextmanager
    def joined(self, place: int) -> Iterator[Event]:
        """Stand in the line; yield what is set as soon as nobody of this process is ahead."""
        if os.getpid() != self._process:
            # A fork: the threads that stood here are the parent's.
            self._begin_anew()
        with self._lock:
            self._joined += 1
            stander = _Stander(place, self._joined, threading.Event())
            insort(self._standers, stander)
            self._call_first()
        try:
            yield stander.is_first
        finally:
            with self._lock:
                self._standers = [other for other in self._standers if other is not stander]
                self._call_first()

    def _call_first(self) -> None:
        if self._standers:
            self._standers[0].is_first.set()
