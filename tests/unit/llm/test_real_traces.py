"""Every real trace is read without an exception, and every quote stands in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysis.evidence import Verifier
from pytest_refinery.llm.builtin.analyst import BuiltinAnalyst
from pytest_refinery.sources.json_files import JsonFiles
from tests.data_paths import SHARED, require
from tests.unit.llm.scenes import case, group

if TYPE_CHECKING:
    from pathlib import Path

EXPECT = "The agent does what the user asked for and says only what its tools returned."


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in SHARED.glob(pattern))


@pytest.mark.parametrize(
    "folder",
    [
        *("langsmith_tau/nested", "langsmith_tau/turns", "who_and_when/Algorithm-Generated"),
        *("who_and_when/Hand-Crafted", "langfuse", "anyagent-otel", "strands-otel"),
    ],
)
def test_every_quote_of_the_analyst_is_found_in_the_trace(folder: str) -> None:
    require(folder)
    analyst = BuiltinAnalyst()
    for path in files(f"{folder}/*.json", f"{folder}/*.json.gz"):
        asked = case(JsonFiles().load(path.name, base=path.parent), expect=EXPECT)
        findings = analyst.analyse_group(asked, group(*asked.trace.by_id)).findings
        concluded = analyst.conclude(asked, findings, analyst.find_gaps(asked, findings))
        quotes = [evidence for finding in findings for evidence in finding.evidence]
        checked = Verifier(asked.trace, shown={}).verified([*quotes, *concluded.evidence])
        assert [evidence for evidence in checked if not evidence.verified] == [], path.name
        named = (
            [concluded.responsible_run_id] if concluded.root_cause else [each.run_id for each in concluded.candidates]
        )
        assert named
        assert set(named) <= set(asked.trace.by_id)


def test_the_longest_nested_trace_is_read_in_half_a_second() -> None:
    require("langsmith_tau", "nested")
    loaded = (JsonFiles().load(path.name, base=path.parent) for path in files("langsmith_tau/nested/*.json.gz"))
    asked = case(max(loaded, key=lambda trace: len(trace.runs)), expect=EXPECT)
    started = time.process_time()
    BuiltinAnalyst().conclude(asked, (), BuiltinAnalyst().find_gaps(asked, ()))
    assert time.process_time() - started < 0.5
