"""What is in place as long as anybody needs it, in whatever order they come and go."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

T = TypeVar("T")


class RefCountedContext(Generic[T]):
    """Enters a context for the first of its members and leaves it after the last.

    Calls of another library that come in threads without a context are meant for the last member.
    """

    def __init__(self, entered: Callable[[], AbstractContextManager[None]]) -> None:
        self._entered = entered
        self._members: list[T] = []
        self._stack = ExitStack()
        self._lock = Lock()

    @property
    def last(self) -> T | None:
        """The member that came last, of those that are still there."""
        return next(reversed(self._members), None)

    @contextmanager
    def hold(self, member: T) -> Iterator[None]:
        """Have ``member`` among those that need it, during a block."""
        with self._lock:
            if not self._members:
                self._stack.enter_context(self._entered())
            self._members.append(member)
        try:
            yield
        finally:
            with self._lock:
                self._members.remove(member)
                if not self._members:
                    self._stack.close()
