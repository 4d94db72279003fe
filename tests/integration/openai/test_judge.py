"""Expectations without checks: the model judges them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.openai_server import OpenAIServer, RunReader, View, faults

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RESPONSES = "/responses"
JUDGED = """\
trace: sweep.json
expectations:
  - id: judged
    expect: The agent says that it cannot keep preferences between conversations.
"""


def write(suite: Path, more: str = "") -> None:
    (suite / "memory.refinery.yaml").write_text(JUDGED + more, encoding="utf-8")


def record(suite: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((suite / "out" / "report.json").read_text(encoding="utf-8"))["expectations"][0]
    return found


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:xdist", *args)


def folded(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.str().split())


def verdicts(server: OpenAIServer, *wanted: str) -> None:
    """Let the model give these verdicts, one after the other, and diagnose as ever."""
    left = list(wanted)
    diagnose = RunReader(markers=("from now on",))

    def brain(view: View) -> Mapping[str, Any] | str:
        if view.schema_name != "JudgeAnswer":
            return diagnose(view)
        return {"reasons": ["It promised to remember."], "conditions": [], "verdict": left.pop(0)}

    server.brain = brain


def test_what_does_not_hold_fails_with_reasons_and_quotes_and_is_diagnosed(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer
) -> None:
    write(suite)
    result = run(pytester)
    result.assert_outcomes(failed=1)
    judge = record(suite)["judge"]
    assert (judge["verdict"], judge["model"], judge["trials"]) == ("not met", "gpt-6-luna", 1)
    assert [(quote["run_id"], quote["verified"]) for quote in judge["quotes"]] == [("4", True)]
    assert record(suite)["diagnosis"]["responsible_run_id"] == "4"
    result.stdout.fnmatch_lines(["Failed       not met, judged by gpt-6-luna: Run #5*", "Root cause *"])
    assert len(server.requests("POST", RESPONSES)) == 4


def test_a_verdict_is_asked_for_once(pytester: pytest.Pytester, suite: Path, server: OpenAIServer) -> None:
    write(suite)
    run(pytester).assert_outcomes(failed=1)
    asked = len(server.requests("POST", RESPONSES))
    again = run(pytester)
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(
        ["Failed       not met, judged by gpt-6-luna (cached): *", "Diagnosed    by gpt-6-luna: 0 tokens, 1 cached*"]
    )
    assert (record(suite)["judge"]["cached"], len(server.requests("POST", RESPONSES))) == (True, asked)
    run(pytester, "--cache-clear").assert_outcomes(failed=1)
    assert len(server.requests("POST", RESPONSES)) == 2 * asked


def test_a_verdict_that_was_none_is_asked_for_again(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer
) -> None:
    write(suite)
    verdicts(server, "undecided", "met")
    run(pytester).assert_outcomes(errors=1)
    run(pytester).assert_outcomes(passed=1)
    run(pytester).assert_outcomes(passed=1)
    assert len(server.requests("POST", RESPONSES)) == 2


def test_what_holds_passes(pytester: pytest.Pytester, suite: Path, server: OpenAIServer) -> None:
    write(suite)
    server.brain = RunReader(markers=("never said",))
    run(pytester).assert_outcomes(passed=1)
    assert record(suite)["judge"]["verdict"] == "met"
    assert len(server.requests("POST", RESPONSES)) == 1


@pytest.mark.parametrize(
    ("rate", "given", "outcome"),
    [
        ("0.6", ("met", "met", "not_met"), "passed"),
        ("0.6", ("met", "not_met", "not_met"), "failed"),
        ("1", ("met", "met", "not_met"), "failed"),
        ("0.6", ("met", "not_met", "undecided"), "errors"),
        ("0.3", ("met", "not_met", "undecided"), "passed"),
        ("1", ("undecided", "undecided", "undecided"), "errors"),
    ],
)
def test_several_trials_are_counted(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer, rate: str, given: tuple[str, ...], outcome: str
) -> None:
    write(suite, f"    trials: 3\n    pass_rate: {rate}\n")
    verdicts(server, *given)
    run(pytester, "--refinery-no-diagnose").assert_outcomes(**{outcome: 1})
    assert record(suite)["judge"]["met"] == given.count("met")


def test_unusable_answers_leave_it_undecided(pytester: pytest.Pytester, suite: Path, server: OpenAIServer) -> None:
    write(suite)
    server.faults.add(faults.not_the_schema(), times=None)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    assert "The judge could not decide it. The judge gave no answer: the model's answer is not " in folded(result)
    assert record(suite)["outcome"] == "undecided"


def test_a_refused_key_leaves_it_undecided(pytester: pytest.Pytester, suite: Path, server: OpenAIServer) -> None:
    write(suite)
    server.faults.add(faults.invalid_key(), times=None)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    assert "The judge could not decide it." in folded(result)
    assert "did not accept the key (401)" in folded(result)


@pytest.mark.parametrize("args", [(), ("--refinery-analyst", "builtin")])
def test_without_a_model_it_is_an_error_that_says_what_to_set(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    write(suite)
    if not args:
        monkeypatch.delenv("OPENAI_API_KEY")
    result = run(pytester, *args)
    result.assert_outcomes(errors=1)
    assert "Nothing can decide this expectation: it has no checks, the analyst builtin judges no" in folded(result)
    assert "set OPENAI_API_KEY" in folded(result)


def test_a_trace_too_long_for_one_call_is_judged_by_remarks_on_its_parts(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer
) -> None:
    write(suite)
    talk = json.loads((suite / "sweep.json").read_text(encoding="utf-8"))
    talk += [{"role": "user", "content": " ".join(f"word{n}{m}" for m in range(100))} for n in range(80)]
    (suite / "sweep.json").write_text(json.dumps(talk), encoding="utf-8")
    run(pytester, "--refinery-no-diagnose").assert_outcomes(failed=1)
    names = [each.body["text"]["format"]["name"] for each in server.requests("POST", RESPONSES)]
    assert names[-1] == "JudgeAnswer"
    assert set(names[:-1]) == {"RemarksAnswer"}
    assert len(names) > 2


@pytest.mark.parametrize("line", ["trials: 0", "trials: many", "pass_rate: 0", "pass_rate: 1.5"])
def test_a_wrong_number_is_said_with_its_place(pytester: pytest.Pytester, suite: Path, line: str) -> None:
    write(suite, f"    {line}\n")
    result = pytester.runpytest("--refinery", "-p", "no:xdist")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*memory.refinery.yaml:5:*"])
