"""What a degenerating model prints, and runs nested in one chain, take linear time wherever they are looked at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from benchmarks import hostile

if TYPE_CHECKING:
    from pathlib import Path


def test_every_pattern_of_the_package_takes_linear_time() -> None:
    found = hostile.patterns()
    # In a variable, in a table, and in a call.
    for part in ("conversation ^(?P<speaker>", "PRIVATE KEY", "reports.markdown `+"):
        assert any(part in name for name in found), part
    assert not [each.what for each in hostile.slow_patterns(500, 4_000)]


@pytest.mark.parametrize("pattern", [r"(?:[a-z]{2,9}){2,5}x", r"\s*x", r"\d+ failures"])
def test_a_pattern_that_takes_more_is_found(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.setattr(hostile, "patterns", lambda: {"x": (re.compile(pattern), frozenset({"search"}))})
    assert hostile.slow_patterns(500, 4_000)


def test_runs_nested_in_one_chain_take_linear_time(tmp_path: Path) -> None:
    found = hostile.measure("", lambda runs: hostile.diagnose(hostile.chain(runs), tmp_path), 250, 2_000)
    assert not found.is_slow


@pytest.mark.parametrize("piece", ["\n", "a\n", "0,", "{", '"key":"'])
def test_a_degenerate_answer_takes_linear_time(tmp_path: Path, piece: str) -> None:
    found = hostile.measure("", lambda size: hostile.diagnose(hostile.answer(piece, size), tmp_path), 10_000, 40_000)
    assert not found.is_slow
