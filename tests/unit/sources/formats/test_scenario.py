"""Each format says the same of the same: what was asked, called, given and answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.sources.formats import scenario
from tests.unit.sources.formats.opening_hours import ARGUMENTS, SAMPLES, TOOL
from tests.unit.sources.formats.scenario import passes

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Trace


def load(folder: Path, sample: str, *, fails: bool) -> Trace:
    content = SAMPLES[sample][1](fails)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "trace.json").write_bytes(data)
    return scenario.load(folder)


@pytest.mark.parametrize("fails", [False, True], ids=["given", "failed"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_format_gives_the_scenario(tmp_path: Path, sample: str, fails: bool) -> None:  # noqa: FBT001
    scenario.holds(load(tmp_path, sample, fails=fails), SAMPLES[sample][0], fails=fails)


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_check_passes_for_lack_of_a_call(tmp_path: Path, sample: str) -> None:
    right = SAMPLES[sample][0]
    trace = load(tmp_path, sample, fails=True)
    assert not passes(trace, tools={"not_called": TOOL})
    assert not passes(trace, tools={"at_most": 0})
    assert passes(trace, tools={"at_most": 1, "arguments": {TOOL: ARGUMENTS}})
    assert passes(trace, errors="none") is not right.is_error_known
    assert passes(load(tmp_path, sample, fails=False), errors="none")
