"""Every file of the shared data loads as a plain count over its raw JSON says that it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import formats
from pytest_refinery.sources.json_files import JsonFiles
from tests.data_paths import REFUSED, SHARED, require

if TYPE_CHECKING:
    from pathlib import Path

# Descriptions of tools, headings, scores by people, and what is a rendering of something that is read.
LEFT_OUT = frozenset(
    {"gen_ai.tool.description", "gen_ai.agent.description", "tool.description", "logfire.msg", "comment"}
    | {"signature", "history", "messages", "raw"}
)


def _named(path: Path) -> str:
    return str(path.relative_to(SHARED))


@pytest.fixture(
    params=[path for path in formats.files(SHARED) if str(path.relative_to(SHARED)) not in REFUSED]
    or [SHARED / "langfuse"],
    ids=_named,
)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    require(_named(found))
    if not found.stat().st_size:
        pytest.skip("the data set holds an empty file here")
    return found


@pytest.mark.parametrize(("name", "sentence"), REFUSED.items())
def test_a_file_that_says_too_little_is_refused_with_what_was_found(name: str, sentence: str) -> None:
    path = require(name)
    assert sentence in formats.measured(path, SHARED).refused


def test_a_file_holds_what_a_plain_count_finds(path: Path) -> None:
    loaded = formats.measured(path, SHARED)
    assert loaded.refused == ""
    assert loaded.counts is not None
    assert loaded.plain is not None
    assert (loaded.counts.runs, loaded.counts.tools, loaded.counts.errors, loaded.counts.calls) == (
        loaded.plain.runs,
        loaded.plain.tools,
        loaded.plain.errors,
        loaded.plain.calls,
    )


def test_no_text_of_a_file_is_lost(path: Path) -> None:
    loaded = formats.measured(path, SHARED)
    assert loaded.left_out.keys() <= LEFT_OUT


def test_every_parent_in_a_file_is_kept(path: Path) -> None:
    trace = JsonFiles().load(path.name, base=path.parent)
    orphans = sum(run.parent_id is not None for run in trace.roots)
    noted = f"Runs that stand as roots because their parent is not in the file: {orphans}."
    assert (noted in trace.notes) == bool(orphans)
    assert all(run.started_at for run in trace.runs) or trace.format == "codex"
