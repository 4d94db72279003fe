"""A few hundred damaged files in each run of the tests; ``python -m benchmarks.fuzz`` tries many more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("resource", reason="the benchmark measures memory, which Windows has no such module for")

from benchmarks import fuzz

if TYPE_CHECKING:
    from pathlib import Path

# Found by the benchmark, one for each fault.
KEPT = (1850,)


def test_a_damaged_file_is_used_or_refused_in_a_sentence(tmp_path: Path) -> None:
    found = {seed: fuzz.tried(seed, tmp_path) for seed in (*range(300), *KEPT)}
    assert {seed: what for seed, what in found.items() if what not in {"used", "refused"}} == {}
    used = Counter(fuzz.mutants(seed)[0] for seed, what in found.items() if what == "used")
    assert all(used[kind] >= 5 for kind in ("trace", "expectations", "cassette"))


def test_what_must_not_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Path) -> str:
        raise KeyError("x")

    monkeypatch.setattr(fuzz, "_trace", breaks)
    assert fuzz.tried(0, tmp_path).startswith("RAISED KeyError at ")
