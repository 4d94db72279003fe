"""How many diagnoses a session may still make, over all of its workers."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


class Allowance:
    """Hands out a limited number of places.

    Workers of one session share a folder under a name that pytest-xdist gives them; a place is
    a file in it that only one of them can create.

    Attributes:
        folder: What the workers share, ``None`` where there are none.
    """

    def __init__(self, most: int | None, *, session_id: str | None = None) -> None:
        self._most = most
        self._taken = 0
        self.folder = Path(tempfile.gettempdir(), f"refinery-{session_id}") if session_id else None

    def take(self) -> bool:
        """Take a place; tell whether there was one."""
        if self._most is None:
            return True
        while self._taken < self._most:
            self._taken += 1
            if self.folder is None or self._claim(self.folder, self._taken):
                return True
        return False

    @staticmethod
    def _claim(folder: Path, number: int) -> bool:
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            (folder / str(number)).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def close(self) -> None:
        """Remove what the workers shared."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
