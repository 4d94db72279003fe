"""Real traces beside the checkout: used where they are, never copied into it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def require(*parts: str) -> Path:
    """Return the path of ``parts`` in the shared data, or skip the test where it is not there."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared/data/{'/'.join(parts)} is not beside the checkout")
    return path
