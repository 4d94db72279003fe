"""What a model's diagnosis cost, as the page of the report shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.openai_server import OpenAIServer

    Diagnose = Callable[..., tuple[pytest.RunResult, dict[str, Any]]]

PLOT = re.compile(
    r"Tokens of the last minute, over 1 min \d+ s: ([\d,]+) at most, under a limit of 1,000,000; ([\d,]+) in"
)


def tokens_of(diagnosis: dict[str, Any]) -> int:
    return sum(stage["input_tokens"] + stage["output_tokens"] for stage in diagnosis["stages"])


def test_the_tokens_of_each_request_are_plotted_against_the_limit(diagnose: Diagnose, suite: Path) -> None:
    _, diagnosis = diagnose()
    found = PLOT.search((suite / "out" / "index.html").read_text("utf-8"))
    assert found is not None
    assert [int(number.replace(",", "")) for number in found.groups()] == [tokens_of(diagnosis)] * 2


@pytest.mark.usefixtures("grouped")
def test_what_workers_spend_is_plotted_too(diagnose: Diagnose, suite: Path) -> None:
    _, diagnosis = diagnose("-p", "xdist", "-n2")
    found = PLOT.search((suite / "out" / "index.html").read_text("utf-8"))
    assert found is not None
    assert int(found[2].replace(",", "")) == tokens_of(diagnosis)


def test_a_cached_diagnosis_has_cost_nothing_and_has_no_plot(diagnose: Diagnose, suite: Path) -> None:
    diagnose()
    diagnose()
    page = (suite / "out" / "index.html").read_text("utf-8")
    assert "Tokens of the last minute" not in page
    assert "From an earlier run: nothing was spent in this one." in page


def test_an_item_that_the_judge_leaves_open_brings_its_trace_too(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer
) -> None:
    (suite / "memory.refinery.yaml").write_text("trace: sweep.json\nexpectations: [{expect: It is polite.}]\n", "utf-8")
    server.brain = lambda _: {"reasons": ["Nobody can tell."], "conditions": [], "verdict": "undecided"}
    pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:xdist").assert_outcomes(errors=1)
    page = (suite / "out" / "index.html").read_text("utf-8")
    assert "Nobody can tell." in page
    assert '<script type="application/json" id="picture-1">' in page
