"""How many diagnoses a session may still make, over all of its workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Allowance:
    """Hands out a limited number of places.

    Workers share ``folder``; a place is a file in it that only one of them can create.
    """

    def __init__(self, most: int | None, *, folder: Path | None = None) -> None:
        self._most = most
        self._taken = 0
        self._folder = folder

    def take(self) -> bool:
        """Take a place; tell whether there was one."""
        if self._most is None:
            return True
        while self._taken < self._most:
            self._taken += 1
            if self._folder is None or self._claim(self._folder, self._taken):
                return True
        return False

    @staticmethod
    def _claim(folder: Path, number: int) -> bool:
        # A worker on another machine has the name of the folder, not the folder.
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            (folder / f"diagnosis-{number}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True
