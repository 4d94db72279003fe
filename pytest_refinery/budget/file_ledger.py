"""The ledger of one machine: a small file of JSON under a lock."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import FileIO
from typing import TYPE_CHECKING, TypeVar

from pytest_refinery import shared_file
from pytest_refinery.budget import crash_safe_file, file_lock, owners
from pytest_refinery.budget.ledger import LedgerUnavailableError
from pytest_refinery.budget.ledger_state import OldVersionError, State, StateError
from pytest_refinery.budget.state_ledger import StateLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_refinery.budget.ledger import QueuePosition, Request, Status
    from pytest_refinery.budget.window import Limits

T = TypeVar("T")
_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_DELETIONS = 3
# Without any change in the file, a look into it can only find that an owner ahead has died.
_UNCHANGED_SECONDS = 0.5


@dataclass(frozen=True)
class _Look:
    """What the last look for a request found, when, and in which version of the file."""

    step: QueuePosition
    at: float
    version: int

    def step_at(self, now: float) -> QueuePosition:
        """Return the same, seen from a later time."""
        start_in, holds_for = (seconds - (now - self.at) for seconds in (self.step.start_in, self.step.holds_for))
        return replace(self.step, start_in=start_in, holds_for=holds_for, look_in=min(self.step.look_in, holds_for))


class FileLedger(StateLedger):
    """A ledger that all processes of this machine share which name the same file.

    A process killed at any instant leaves either the old state or the new one. A file that cannot be
    understood is set aside, and the limit taken as used up.

    Args:
        path: The file; its folder is made, for this user alone.
        tell: Called with a sentence for the user when the file had to be set aside, or was lost.
    """

    def __init__(
        self,
        path: Path,
        limits: Limits,
        *,
        tell: Callable[[str], None],
        clock: Callable[[], float] = owners.seconds_since_boot,
    ) -> None:
        super().__init__(limits, clock=clock, tell=tell)
        self._path = path
        self._looks: dict[str, _Look] = {}

    @property
    def _place(self) -> str:
        return str(self._path)

    def poll(self, request: Request) -> QueuePosition:
        """Let the request join the queue or keep its place; grant it when its time has come."""
        found = None if request.place is None else self._looked(request)
        if found is None:
            self._looks.pop(request.id, None)
            found = super().poll(request)
        return found

    def status(self) -> Status:
        """Return what the book says now, without a lock and without a change."""
        try:
            with _opened(self._path) as file:
                state = self._decoded(crash_safe_file.read(file))
        except (OSError, crash_safe_file.DamagedFileError, StateError):
            state = State()
        return state.status(self._limits, self._clock(), self._is_alive)

    def reset(self) -> None:
        """Forget everything."""
        with _unavailable_without(self._path), self._held():
            state = State()
            with suppress(OSError, crash_safe_file.DamagedFileError, StateError), _opened(self._path) as file:
                state.forget_on_purpose(self._decoded(crash_safe_file.read(file)))
            if self._memory:
                state.forget_on_purpose(self._memory.state)
            self._create()
            self._write(state, 1)

    def _looked(self, request: Request) -> QueuePosition | None:
        """Look without the lock; return ``None`` if there is something to do under it.

        The newest slot is not the one that is written next, so a reader has a whole state.
        """
        last = self._looks.get(request.id)
        now = self._clock()
        if last and now >= last.at + last.step.start_in:
            return None
        try:
            with _opened(self._path) as file:
                still_holds = last and now < last.at + min(_UNCHANGED_SECONDS, last.step.holds_for)
                if last and still_holds and crash_safe_file.newest_number(file) == last.version:
                    return last.step_at(now)
                version = crash_safe_file.read(file)
                state = self._decoded(version)
        except (OSError, crash_safe_file.DamagedFileError, StateError):
            return None
        if self._memory and self._memory.state.is_lost_in(state):
            return None
        step = self._poll(state, request, now)
        if step.is_granted or state.has_changed:
            return None
        self._looks[request.id] = _Look(step, now, version.number)
        return step

    def _transact(self, change: Callable[[State, float], T]) -> T:
        with _unavailable_without(self._path):
            for _ in range(_DELETIONS):
                # The file or its folder may be deleted at any time.
                with suppress(FileNotFoundError):
                    return self._transact_once(change)
            return self._transact_once(change)

    def _transact_once(self, change: Callable[[State, float], T]) -> T:
        with self._held():
            state = self._read()
            # The clock is read under the lock: times in the book never run backwards.
            result = change(state, self._clock())
            if state.has_changed:
                self._write(state, state.number + 1)
            return result

    @contextmanager
    def _held(self) -> Iterator[None]:
        shared_file.private_folder(self._path.parent)
        with file_lock.held(self._path.with_suffix(".lock")):
            yield

    def _read(self) -> State:
        try:
            with _opened(self._path) as file:
                return self._decoded(crash_safe_file.read(file))
        except FileNotFoundError:
            self._create()
            return State()
        except OldVersionError:
            self._create()
        except (IsADirectoryError, crash_safe_file.DamagedFileError, StateError) as error:
            self._set_aside(error)
        state = State.used_up(self._limits, self._clock())
        if self._memory:
            state.forget_on_purpose(self._memory.state)
        return state

    def _write(self, state: State, number: int) -> None:
        state.number, state.has_changed = number, False
        envelope = {"boot": owners.boot_id(), "saved_at": self._clock(), "wall": time.time()}
        text = json.dumps(envelope | state.encode(), separators=(",", ":"))
        with _opened(self._path, "r+b") as file:
            crash_safe_file.write(file, crash_safe_file.Version(number, text.encode()))

    def _decoded(self, version: crash_safe_file.Version) -> State:
        if version.number == 0:
            return State()
        written = json.loads(version.text)
        if written["boot"] == owners.boot_id() and written["saved_at"] <= self._clock():
            state = State.decode(written)
            state.number = version.number
            return state
        # The machine was restarted, so the times in the file mean nothing.
        is_recent = abs(time.time() - written["wall"]) < self._limits.minute
        return State.used_up(self._limits, self._clock()) if is_recent else State()

    def _create(self) -> None:
        crash_safe_file.create(self._path)

    def _set_aside(self, error: Exception) -> None:
        aside = self._path.with_suffix(".unreadable")
        if aside.is_dir():
            shutil.rmtree(aside)
        self._path.replace(aside)
        self._create()
        self._tell(
            f"The token budget in {self._path} could not be read: {error}. It was moved to {aside.name} beside it, "
            "and for the next minute the limit counts as used up."
        )


def _opened(path: Path, mode: str = "rb") -> FileIO:
    # A link would lead to a file of somebody else.
    def without_links(name: str, flags: int) -> int:
        return os.open(name, flags | _NO_FOLLOW)

    return FileIO(path, mode, opener=without_links)


@contextmanager
def _unavailable_without(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"{path.parent} cannot be written ({error.strerror or error})"
        raise LedgerUnavailableError(msg) from error
