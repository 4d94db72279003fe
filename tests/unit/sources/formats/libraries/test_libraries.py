"""What real libraries write of one scenario is read as it was."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from tests.unit.sources.formats import scenario

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("fails", [False, True], ids=["given", "failed"])
@pytest.mark.parametrize(
    ("library", "module"),
    [
        ("langgraph", "langgraph_dumps"),
        ("pydantic_ai", "pydantic_ai_dumps"),
        ("smolagents", "smolagents_dumps"),
        ("haystack", "haystack_dumps"),
    ],
)
def test_each_dump_of_a_library_gives_the_scenario(tmp_path: Path, library: str, module: str, *, fails: bool) -> None:
    pytest.importorskip(library, reason=f"{library} is in the dependency group 'formats'")
    found = import_module(f"tests.unit.sources.formats.libraries.{module}").dumps(fails=fails)
    for name, (right, data) in found.items():
        (tmp_path / "trace.json").write_bytes(data)
        scenario.holds(scenario.load(tmp_path), right, fails=fails, what=name)
