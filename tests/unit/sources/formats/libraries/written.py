"""Writes what libraries dump."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.unit.sources.formats.opening_hours import Right


class Dumps(Protocol):
    """Returns what each way to dump writes, and what of the scenario it holds."""

    def __call__(self, *, fails: bool) -> dict[str, tuple[Right, bytes]]: ...


def whole(value: object) -> bytes:
    return json.dumps(value, default=str).encode()


def lines(values: Iterable[object]) -> bytes:
    return b"".join(whole(value) + b"\n" for value in values)


def files(dumps: Dumps) -> None:
    """Write the files into the folder that the command line names."""
    for fails in (False, True):
        for name, (_, data) in dumps(fails=fails).items():
            Path(sys.argv[1], f"{name}, {'failed' if fails else 'given'}.json").write_bytes(data)
