"""Why a request is not in a cassette, said so that one sees what has changed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_refinery.cassettes.interactions import Request


def explained(request: Request, recorded: Sequence[Request], *, about: str, path: Path, exists: bool) -> str:
    """Return the sentences about a request that has no answer among those ``recorded``."""
    where = f"{about}: {request} is not in {path}" if exists else f"{about}: there is no cassette {path} for {request}"
    return f"{where}. Record: {command(about)}"


def command(about: str) -> str:
    """Return the command that records an item anew."""
    return f"pytest --refinery --refinery-record=all {shlex.quote(about)}"
