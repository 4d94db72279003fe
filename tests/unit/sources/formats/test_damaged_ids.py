"""An id that is no text is a damaged record, and no traceback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.sources import formats

if TYPE_CHECKING:
    from pathlib import Path

_GEMINI: dict[str, Any] = {
    "sessionId": "s",
    "projectHash": "h",
    "messages": [
        {"id": "1", "timestamp": "2026-01-01T10:00:00+00:00", "type": "user", "content": "Hello?"},
        {"id": "2", "timestamp": "2026-01-01T10:00:01+00:00", "type": "gemini", "content": "Hello."},
    ],
}


@pytest.mark.parametrize("damaged", [{}, [], {"a": 1}, 7])
def test_an_id_of_any_kind_is_read(tmp_path: Path, damaged: object) -> None:
    record = json.loads(json.dumps(_GEMINI))
    record["messages"][1]["id"] = damaged
    path = tmp_path / "session.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    assert len(formats.read(path).runs) == 2
