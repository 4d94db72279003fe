"""What a model says of all failures together, once at the end of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.openai.conftest import EXPECTATIONS, PROMISE, TALK
from tests.openai_server import OpenAIServer, faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Summarize = Callable[..., tuple[pytest.RunResult, dict[str, Any]]]

AGAIN = """\
  - id: again
    expect: The agent says what it cannot do.
    trace: other.json
    checks:
      - runs: {at_most: 0}
"""


@pytest.fixture
def summarize(pytester: pytest.Pytester, suite: Path) -> Summarize:
    """Run a suite with two failures of one type, whose diagnoses differ; return what was printed, and the report."""
    other = [*TALK[:2], {"role": "assistant", "content": PROMISE}]
    (suite / "other.json").write_text(json.dumps(other), encoding="utf-8")
    (suite / "memory.refinery.yaml").write_text(EXPECTATIONS + AGAIN, encoding="utf-8")

    def summarize(*args: str) -> tuple[pytest.RunResult, dict[str, Any]]:
        result = pytester.runpytest("--refinery", "--refinery-report", "out", *(args or ("-p", "no:xdist")))
        result.assert_outcomes(failed=2)
        report: dict[str, Any] = json.loads((suite / "out" / "report.json").read_text(encoding="utf-8"))
        return result, report

    return summarize


def asked(server: OpenAIServer) -> list[dict[str, Any]]:
    """Return the requests for a summary."""
    bodies = [each.body for each in server.requests("POST", "/responses")]
    return [body for body in bodies if body["text"]["format"]["name"] == "SummaryAnswer"]


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n0",), ("-n2",)])
def test_one_call_over_all_diagnoses_groups_them(
    summarize: Summarize, server: OpenAIServer, workers: tuple[str, ...]
) -> None:
    result, report = summarize(*workers)
    (body,) = asked(server)
    assert body["input"].count('"group": ') == 2
    (cause,) = report["root_causes"]
    assert cause["cause"] == "Customers suffer from a model limitation."
    assert cause["advice"] == "Change what the agent is told."
    assert cause["nodeids"] == ["memory.refinery.yaml::admits", "memory.refinery.yaml::again"]
    assert report["executive_summary"] == "2 failed. 1 causes lie behind all of it."
    result.stdout.fnmatch_lines(
        [
            "Summary      1 causes lie behind all of it.",
            "2 failures   Customers suffer from a model limitation. (model limitation)",
            "             To do: Change what the agent is told.",
            "             admits, again",
        ]
    )


def test_its_tokens_count_in_the_session(summarize: Summarize, server: OpenAIServer) -> None:
    _, report = summarize()
    cost = report["session"]["summary"]["cost"]
    assert (cost["name"], cost["calls"]) == ("session summary", 1)
    assert report["session"]["tokens"] == server.tokens_used
    assert cost["input_tokens"] > 300


def test_a_plan_counts_it_in(summarize: Summarize, server: OpenAIServer) -> None:
    _, planned = summarize("--refinery-plan", "-p", "no:xdist")
    assert server.log == []
    _, report = summarize()
    plan = planned["session"]["plan"]
    used = [stage for item in report["expectations"] for stage in item["diagnosis"]["stages"]]
    used.append(report["session"]["summary"]["cost"])
    assert plan["calls"] == sum(stage["calls"] for stage in used) == 7
    assert plan["input_tokens"] == pytest.approx(sum(stage["input_tokens"] for stage in used), rel=0.2)
    assert plan["items"] == 2


def test_a_second_run_finds_it_in_the_cache_and_spends_nothing(summarize: Summarize, server: OpenAIServer) -> None:
    _, first = summarize()
    spent = server.tokens_used
    result, second = summarize()
    assert server.tokens_used == spent
    assert [cause["cause"] for cause in second["root_causes"]] == [cause["cause"] for cause in first["root_causes"]]
    assert second["session"]["summary"]["cached"] is True
    assert second["session"]["tokens"] == 0
    result.stdout.fnmatch_lines(["Diagnosed    by gpt-6-luna: 0 tokens, 2 cached"])


def test_a_single_failure_speaks_for_itself(pytester: pytest.Pytester, suite: Path, server: OpenAIServer) -> None:
    pytester.runpytest("--refinery", "-p", "no:xdist").assert_outcomes(failed=1)
    assert asked(server) == []


def test_rules_need_no_call(summarize: Summarize, server: OpenAIServer) -> None:
    _, report = summarize("--refinery-analyst", "builtin", "-p", "no:xdist")
    assert server.log == []
    assert report["session"]["summary"] is None


def test_without_a_usable_answer_rules_group_and_the_summary_says_so(
    pytester: pytest.Pytester, summarize: Summarize, server: OpenAIServer
) -> None:
    pytester.runpytest("--refinery", "-k", "admits", "-p", "no:xdist")
    pytester.runpytest("--refinery", "-k", "again", "-p", "no:xdist")
    server.faults.add(faults.not_the_schema(), times=None)
    result, report = summarize()
    assert len(report["root_causes"]) == 2
    assert "is not what it was asked for" in report["session"]["summary"]["problem"]
    result.stdout.fnmatch_lines(["Note         The causes are grouped by their words alone: gpt-6-luna*"])
    result.stdout.no_fnmatch_line("Summary      1 causes*")


def test_it_stays_below_the_ceiling_of_the_session(summarize: Summarize, server: OpenAIServer) -> None:
    # One that does not think: room for thoughts would be reserved beside what is used.
    model = ("--refinery-model", "gpt-4.1-mini")
    _, whole = summarize(*model)
    spent = sum(
        stage["input_tokens"] + stage["output_tokens"]
        for item in whole["expectations"]
        for stage in item["diagnosis"]["stages"]
    )
    for workers in (("-p", "no:xdist"), ("-n2",)):
        before = server.tokens_used
        result, report = summarize("--cache-clear", "--refinery-max-tokens", str(spent + 700), *model, *workers)
        assert server.tokens_used - before <= spent + 700
        assert "The session may use" in report["session"]["summary"]["problem"], result.stdout.str()


def test_a_hostile_diagnosis_stands_behind_a_fence(summarize: Summarize, server: OpenAIServer) -> None:
    summarize()
    (body,) = asked(server)
    data, fence, question = body["input"].rpartition("END DATA ")
    assert fence
    assert data.startswith("BEGIN DATA ")
    assert "went wrong" in data
    assert "went wrong" not in question
