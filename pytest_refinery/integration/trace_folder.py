"""Where the traces are kept that were fetched in earlier runs and by other workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_FOLDER = "refinery-traces"


def trace_folder(config: pytest.Config) -> Path | None:
    """Return a folder in pytest's own cache: ``--cache-clear`` empties it, without the cache plugin there is none."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    return cache.mkdir(_FOLDER) if cache else None
