"""The decisive call of a trace, made again over both protocols with a model that does what its prompt says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery import cli
from tests.openai_server import OpenAIServer, RunReader, View
from tests.openai_server.brain import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SYSTEM = "You are the assistant of a brokerage. Answer questions about the customer's transactions."
RULE = "You have no memory: nothing is kept."
PROMISE = "Done. I will leave them out from now on."
TOOL = {
    "type": "function",
    "function": {
        "name": "list_transactions",
        "description": "Lists transactions.",
        "parameters": {"type": "object", "properties": {"without": {"type": "string"}}},
    },
}
TRACE: list[dict[str, Any]] = [
    {
        "id": "root",
        "name": "desk",
        "run_type": "chain",
        "inputs": {"question": "Exclude the sweeps."},
        "outputs": {"output": PROMISE},
        "start_time": "2026-01-01T00:00:00Z",
    },
    {
        "id": "call",
        "name": "model",
        "run_type": "llm",
        "parent_run_id": "root",
        "inputs": {
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Exclude the sweeps."}]
        },
        "outputs": {"messages": [{"role": "assistant", "content": PROMISE}]},
        "extra": {"invocation_params": {"model": "gpt-4o-mini", "temperature": 0.7, "tools": [TOOL]}},
        "start_time": "2026-01-01T00:00:01Z",
    },
]
EXPECTATIONS = """\
trace: trace.json
prompts: [prompts/*.md]
expectations:
  - id: admits
    expect: The agent says that it cannot keep preferences between conversations.
    checks:
      - output: {not_contains: from now on}
"""


def brain(view: View) -> Mapping[str, Any] | str | FunctionCall:
    """Diagnose, suggesting a rule for the prompt; as the agent's own model, do what the prompt says."""
    if view.schema is None:
        told = view.instructions
        if "Call tools" in told:
            return FunctionCall("list_transactions", {"without": "sweep"})
        return "I left them out of this list." if "no memory" in told else PROMISE
    found = dict(RunReader(markers=("from now on",)).read(view).filled(view.schema))
    if "suggested_fix" in view.schema["properties"]:
        found |= {
            "decisive_run": 2,
            "suggested_fix": {
                "component": "system prompt",
                "file": "prompts/system.md",
                "before": SYSTEM,
                "after": f"{SYSTEM}\n{RULE}",
                "why": "It has no memory.",
            },
        }
    return found


@pytest.fixture(params=["responses", "chat"])
def desk(
    request: pytest.FixtureRequest, suite: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> OpenAIServer:
    """A suite about a recorded trace, and a service that has one of the protocols."""
    server.brain = brain
    for name, text in {
        "trace.json": json.dumps(TRACE),
        "prompts/system.md": f"{SYSTEM}\n",
        "memory.refinery.yaml": EXPECTATIONS,
        "new.md": f"{SYSTEM} {RULE}",
        "tools.md": "Call tools.",
    }.items():
        (suite / name).parent.mkdir(exist_ok=True)
        (suite / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("REFINERY_API", request.param)
    monkeypatch.chdir(suite)
    return server


def replays(server: OpenAIServer) -> list[dict[str, Any]]:
    asked = [each.body for each in server.log if each.method == "POST"]
    return [body for body in asked if "text" not in body and "response_format" not in body]


def test_another_prompt_is_tried_beside_the_recorded_one(
    desk: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.main(["replay", "memory.refinery.yaml::admits", "--run", "2", "--prompt", "new.md", "--times", "3"])
    assert capsys.readouterr().out.splitlines() == [
        f'recorded    "{PROMISE}"',
        "as it was   3 of 3: as recorded",
        'new.md      3 of 3: "I left them out of this list."',
        "verified: decisive step 0 of 3 -> 3 of 3",
    ]
    assert code == 0


def test_a_call_is_made_with_its_own_tools_and_parameters_and_no_tool_is_run(
    desk: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    check = "tools: {called: list_transactions}"
    arguments = ["replay", "trace.json", "--run", "call", "--prompt", "tools.md", "--times", "3", "--check", check]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert 'tools.md    3 of 3: list_transactions({"without": "sweep"})' in out
    assert "verified: decisive step 0 of 3 -> 3 of 3" in out
    for body in replays(desk):
        (tool,) = body["tools"]
        assert (tool.get("function") or tool)["name"] == "list_transactions"
        assert (body["model"], body["temperature"]) == ("gpt-4o-mini", 0.7)


def test_without_a_change_it_shows_how_often_the_answer_comes_again(
    desk: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["replay", "trace.json", "--run", "2", "--times", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["as it was   2 of 2: as recorded"]
    assert cli.main(["replay", "trace.json", "--run", "2", "--times", "1", "--model", "gpt-4o"]) == 0
    assert replays(desk)[-1]["model"] == "gpt-4o"


def test_in_a_run_the_fix_is_tried_on_the_decisive_call(pytester: pytest.Pytester, desk: OpenAIServer) -> None:
    arguments = ("--refinery", "--refinery-report", "out", "-p", "no:xdist", "--refinery-replay", "3")
    result = pytester.runpytest(*arguments, "--refinery-record", "once")
    result.assert_outcomes(failed=1)
    assert "verified: decisive step 0 of 3 -> 3 of 3" in " ".join(" ".join(result.outlines).split())
    report = json.loads((pytester.path / "out" / "report.json").read_text("utf-8"))
    found = report["expectations"][0]["diagnosis"]["verification"]
    assert (found["status"], found["how"], found["after"]) == ("confirmed", "replay", {"passed": 3, "trials": 3})
    assert found["tokens"] > 0
    # The same again from the cassette, without the service.
    asked = len(desk.log)
    pytester.runpytest(*arguments, "--refinery-record", "none").assert_outcomes(failed=1)
    again = json.loads((pytester.path / "out" / "report.json").read_text("utf-8"))
    assert again["expectations"][0]["diagnosis"]["verification"] == found
    assert len(desk.log) == asked


def test_a_plan_says_what_it_would_cost(pytester: pytest.Pytester, desk: OpenAIServer) -> None:
    def planned(*more: str) -> dict[str, Any]:
        pytester.runpytest("--refinery", "--refinery-report", "out", "-p", "no:xdist", "--refinery-plan", *more)
        report: dict[str, Any] = json.loads((pytester.path / "out" / "report.json").read_text("utf-8"))
        return dict(report["session"]["plan"])

    without, with_replays = planned(), planned("--refinery-replay", "3")
    assert with_replays["calls"] == without["calls"] + 6
    assert with_replays["input_tokens"] > without["input_tokens"]
    assert desk.log == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trace.json", "--run", "1"], "the trace does not hold the call itself: the run is no call of a model"),
        (["trace.json", "--run", "9"], "--run is a number from 1 to 2, or an id"),
        (["trace.json", "--run", "2", "--prompt", "no.md"], "--prompt no.md cannot be read"),
        (["trace.json", "--run", "2", "--check", "errors: none"], "no check of the expectation fails in the decisive"),
        (["trace.json", "--run", "2", "--check", "outputs: {contains: a}"], "Did you mean 'output'"),
        (["trace.json", "--run", "2", "--model", "gpt-none"], "There is no model 'gpt-none'"),
    ],
)
def test_what_cannot_be_asked_says_why(
    desk: OpenAIServer, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.main(["replay", *arguments, "--times", "1"]) == 1
    assert said in capsys.readouterr().err


def test_without_a_model_it_says_so(
    desk: OpenAIServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert cli.main(["replay", "trace.json", "--run", "2"]) == 1
    assert "the analyst builtin asks no model. Set OPENAI_API_KEY" in capsys.readouterr().err
