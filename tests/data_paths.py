"""Real traces beside the checkout: used where they are, never copied into it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

REFUSED = {
    "strands-otel/autogen_live_spans.json": "none of its 1 runs of models and tools has inputs or outputs",
    "strands-otel/codex_session_rollout.json": "there is no text of any assistant in it",
}
"""Files that say too little for any expectation, and what their refusal says."""


def loadable(pattern: str) -> list[Path]:
    """Return the files of a pattern that are no empty ones and are not ``REFUSED``."""
    found = (path for path in SHARED.glob(pattern) if path.stat().st_size)
    return sorted(path for path in found if path.relative_to(SHARED).as_posix() not in REFUSED)


def require(*parts: str) -> Path:
    """Return the path of ``parts`` in the shared data, or skip the test where it is not there."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared/data/{'/'.join(parts)} is not beside the checkout")
    return path
