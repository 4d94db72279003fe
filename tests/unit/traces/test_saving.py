from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import saving
from tests.unit.sources.formats.opening_hours import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("sample", ["OTLP", "Opik", "a graph's events", "Pydantic AI", "a chat"])
def test_a_saved_trace_is_read_again_as_the_same(tmp_path: Path, sample: str) -> None:
    content = SAMPLES[sample][1](True)  # noqa: FBT003  (a sample of a call that fails)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (tmp_path / "first.json").write_bytes(data)
    first = JsonFiles().load("first.json", base=tmp_path)
    (tmp_path / "second.json").write_text(saving.text(first), encoding="utf-8")
    second = JsonFiles().load("second.json", base=tmp_path)
    assert second.runs == first.runs
    assert second.id == first.id
