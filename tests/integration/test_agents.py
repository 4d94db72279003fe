"""Expectations whose agent is re-run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import inputs as trace_inputs
from pytest_refinery.traces import messages
from tests import traced_agents
from tests.openai_server import OpenAIServer
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

SHOP = """\
import os
import time

def answer(question: str) -> str:
    print("looking it up")
    return f"You asked: {question} It ships tomorrow."

def raises(question):
    from pytest_refinery import record
    with record("find_order", "tool", inputs={"number": 7}) as tool:
        tool.outputs = "Order 7: lost"
    raise LookupError("order 7 is lost")

def slow(question):
    time.sleep(60)

def leaves(question):
    raise SystemExit(3)

_asked = iter(range(1, 100))

def flaky(question):
    return "yes" if next(_asked) % 3 else "no"
"""

RECORDED = [
    {"id": "1", "name": "shop", "run_type": "chain", "inputs": {"question": "Where?"}, "outputs": {"output": "Gone."}}
]


def write(folder: Path, expectation: str, *, head: str = "agent: shop:answer\n") -> None:
    (folder / "shop.refinery.yaml").write_text(
        f"{head}expectations:\n  - id: one\n    expect: It says when.\n{expectation}", encoding="utf-8"
    )


@pytest.fixture
def shop(pytester: pytest.Pytester) -> Path:
    """A suite's folder with agents and a recorded trace."""
    (pytester.path / "shop.py").write_text(SHOP, encoding="utf-8")
    (pytester.path / "recorded.json").write_text(json.dumps(RECORDED), encoding="utf-8")
    pytester.path.joinpath("libraries.py").write_text(Path(traced_agents.__file__).read_text("utf-8"), encoding="utf-8")
    return pytester.path


def reported(folder: Path) -> dict[str, Any]:
    (item,) = json.loads((folder / "out" / "report.json").read_text("utf-8"))["expectations"]
    return dict(item)


def test_the_recorded_question_is_asked_again_and_the_new_answer_checked(run: Run, shop: Path) -> None:
    write(shop, "    trace: recorded.json\n    checks: [{output: {contains: ships tomorrow}}]\n")
    run("--refinery-report", "out").assert_outcomes(passed=1)
    item = reported(shop)
    assert (item["outcome"], item["trace"]["is_rerun"], item["trace"]["source"]) == (
        "passed",
        True,
        "agent shop:answer",
    )
    assert item["agent"]["target"] == "shop:answer"
    assert [trial["outcome"] for trial in item["agent"]["trials"]] == ["passed"]


@WITH_WORKERS
def test_a_failure_is_diagnosed_on_the_new_trace(run: Run, shop: Path) -> None:
    write(shop, '    inputs: {question: "Where is it?"}\n    checks: [{output: {contains: please}}]\n')
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "Expected     It says when.",
            "Agent        shop:answer, re-run",
            'Answered     "You asked: Where is it? It ships tomorrow."',
            "Root cause   not determined, by rules",
            "Candidates   step 1, shop:answer: *",
            "*Captured stdout call*",
            "looking it up",
        ]
    )


def test_an_agent_that_raises_fails_with_what_led_there(run: Run, shop: Path) -> None:
    write(shop, "    inputs: {question: x}\n    agent: shop:raises\n    checks: [{tools: {called: [find_order]}}]\n")
    result = run("--refinery-report", "out")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["Failed       agent: expected the agent to answer; actual: it raised*", "Root cause *"]
    )
    item = reported(shop)
    assert item["trace"]["runs"] == 2
    assert item["diagnosis"]["coverage"]["percentage"] == 100.0


def test_an_agent_that_exits_fails_and_the_run_goes_on(pytester: pytest.Pytester, shop: Path) -> None:
    write(shop, "    inputs: {question: x}\n    agent: shop:leaves\n    checks: [{output: {contains: x}}]\n")
    pytester.runpytest("--refinery").assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("pass_rate", "outcome", "line"),
    [
        (0.66, "passed", None),
        (1.0, "failed", "Agent        shop:flaky, re-run: 2 of 3 trials met, 3 needed; this is trial*"),
    ],
)
def test_trials_are_counted_and_the_first_that_failed_is_diagnosed(
    run: Run, shop: Path, pass_rate: float, outcome: str, line: str | None
) -> None:
    write(
        shop,
        f"    inputs: {{question: x}}\n    agent: shop:flaky\n    trials: 3\n    pass_rate: {pass_rate}\n"
        '    checks: [{output: {contains: "yes"}}]\n',
    )
    result = run("--refinery-report", "out")
    result.assert_outcomes(**{outcome: 1})
    item = reported(shop)
    assert [trial["outcome"] for trial in item["agent"]["trials"]] == ["passed", "passed", "failed"]
    if line is not None:
        result.stdout.fnmatch_lines([line, 'Answered     "no"'])
        assert item["agent"]["shown"] == 3
        assert "2 of 3 trials met" in (shop / "out" / "report.md").read_text("utf-8")
        assert "shop:flaky, re-run: 2 of 3 trials met" in (shop / "out" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        ("    agent: shop:anwser\n", "agent: shop:anwser: the module shop has no 'anwser'. Did you mean 'answer'?"),
        ("    agent: shopp:answer\n", "agent: shopp:answer: no module 'shopp' in*"),
        (
            "    inputs: {qestion: x}\n",
            "agent: shop:answer: it takes (question), which the inputs qestion do not fit.*",
        ),
    ],
)
def test_an_agent_that_cannot_be_called_is_an_error(
    pytester: pytest.Pytester, shop: Path, expectation: str, said: str
) -> None:
    inputs = "" if "inputs" in expectation else "    inputs: {question: x}\n"
    write(shop, f"{inputs}{expectation}    checks: [{{output: {{contains: x}}}}]\n")
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said.replace("[", "[[]")])
    result.stdout.no_fnmatch_line("*looking it up*")


def test_inputs_without_an_agent_say_what_is_missing(pytester: pytest.Pytester, shop: Path) -> None:
    write(shop, "    inputs: {question: x}\n    checks: [{output: {contains: x}}]\n", head="")
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["There is no trace: 'inputs:' are for an agent, and none is named.*"])


def test_a_trace_without_inputs_says_what_to_give(pytester: pytest.Pytester, shop: Path) -> None:
    (shop / "recorded.json").write_text(json.dumps([{**RECORDED[0], "inputs": None}]), encoding="utf-8")
    write(shop, "    trace: recorded.json\n    checks: [{output: {contains: x}}]\n")
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["recorded.json: the trace records no inputs of its root to call the agent with.*"])


def test_without_checks_and_judge_the_agent_is_not_run(pytester: pytest.Pytester, shop: Path) -> None:
    write(shop, "    inputs: {question: x}\n")
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["Add `checks:` to this expectation, or set OPENAI_API_KEY*"])
    result.stdout.no_fnmatch_line("*looking it up*")


def test_a_check_that_breaks_on_the_new_trace_is_an_error_not_a_failure(run: Run, shop: Path) -> None:
    (shop / "own_checks.py").write_text("def check(trace):\n    return 3\n", encoding="utf-8")
    write(shop, "    inputs: {question: x}\n    checks: [{python: 'own_checks:check'}]\n")
    result = run("--refinery-report", "out")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of one*", "The check python own_checks:check returned '3'*"])
    assert reported(shop)["outcome"] == "undecided"


def test_the_configured_agent_serves_expectations_that_name_none(pytester: pytest.Pytester, shop: Path) -> None:
    (shop / "pytest.ini").write_text("[pytest]\nrefinery_agent = shop:answer\n", encoding="utf-8")
    write(shop, "    trace: recorded.json\n    checks: [{output: {contains: ships tomorrow}}]\n", head="")
    pytester.runpytest("--refinery").assert_outcomes(passed=1)


def test_an_agent_is_looked_for_beside_its_file_and_at_the_root(pytester: pytest.Pytester, shop: Path) -> None:
    (shop / "deep").mkdir()
    (shop / "deep" / "near.py").write_text("def answer(question):\n    return 'near'\n", encoding="utf-8")
    for name, agent in (("near", "near:answer"), ("far", "shop:answer")):
        (shop / "deep" / f"{name}.refinery.yaml").write_text(
            f"agent: {agent}\ninputs: {{question: x}}\nexpectations:\n"
            "  - expect: It answers.\n    checks: [{errors: none}]\n",
            encoding="utf-8",
        )
    pytester.runpytest("--refinery").assert_outcomes(passed=2)


def test_planning_runs_no_agent(pytester: pytest.Pytester, shop: Path) -> None:
    write(shop, "    inputs: {question: x}\n    checks: [{output: {contains: x}}]\n")
    result = pytester.runpytest("--refinery", "--refinery-plan", "--refinery-verify", "5", "-rs", "-s")
    result.assert_outcomes(skipped=1)
    result.stdout.no_fnmatch_line("*looking it up*")
    assert "--refinery-verify 5 would run it 10 times more" in " ".join(" ".join(result.outlines).split())


def test_a_trace_names_no_agent(pytester: pytest.Pytester, shop: Path) -> None:
    hostile = {**RECORDED[0], "agent": "os:abort", "extra": {"metadata": {"agent": "os:abort"}}}
    (shop / "recorded.json").write_text(json.dumps([hostile]), encoding="utf-8")
    write(shop, "    trace: recorded.json\n    checks: [{output: {contains: Gone}}]\n", head="")
    pytester.runpytest("--refinery").assert_outcomes(passed=1)


@pytest.mark.parametrize("args", [(), ("-o", "timeout_func_only=true")], ids=["whole", "func_only"])
def test_an_agent_that_hangs_is_ended_by_pytest_timeout_as_a_failure(
    pytester: pytest.Pytester, shop: Path, args: tuple[str, ...]
) -> None:
    write(
        shop, "    inputs: {question: x}\n    agent: shop:slow\n    trials: 3\n    checks: [{output: {contains: x}}]\n"
    )
    result = pytester.runpytest("--refinery", "--timeout=1", "--timeout-method=signal", *args)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["Failed       agent: expected the agent to answer; actual: it raised*"])


def test_stopping_at_the_first_failure_runs_no_further_agent(pytester: pytest.Pytester, shop: Path) -> None:
    write(
        shop,
        "    inputs: {question: x}\n    agent: shop:raises\n    checks: [{errors: none}]\n"
        "  - id: two\n    expect: It answers.\n    inputs: {question: x}\n    checks: [{errors: none}]\n",
    )
    result = pytester.runpytest("--refinery", "-x", "-s")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("looking it up")


def test_ctrl_c_while_an_agent_runs_ends_the_run(pytester: pytest.Pytester, shop: Path) -> None:
    (shop / "shop.py").write_text("def answer(question):\n    raise KeyboardInterrupt\n", encoding="utf-8")
    write(shop, "    inputs: {question: x}\n    checks: [{errors: none}]\n")
    assert pytester.runpytest_subprocess("--refinery").ret == pytest.ExitCode.INTERRUPTED


def test_an_agent_that_skips_is_skipped_in_the_report_too(pytester: pytest.Pytester, shop: Path) -> None:
    (shop / "shop.py").write_text(
        "import pytest\n\ndef answer(question):\n    pytest.skip('no ledger here')\n", encoding="utf-8"
    )
    write(shop, "    inputs: {question: x}\n    checks: [{errors: none}]\n")
    pytester.runpytest("--refinery", "--refinery-report", "out").assert_outcomes(skipped=1)
    assert reported(shop)["outcome"] == "skipped"


def test_tracing_that_cannot_be_captured_is_an_error_and_the_agent_is_not_called(
    pytester: pytest.Pytester, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("langsmith.Client.create_run")
    write(shop, "    inputs: {question: x}\n    checks: [{errors: none}]\n")
    result = pytester.runpytest("--refinery", "-s")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["agent: shop:answer: it was not called, since its tracing could not be captured:*"])
    result.stdout.no_fnmatch_line("looking it up")


def test_reruns_run_the_agent_again(pytester: pytest.Pytester, shop: Path) -> None:
    write(
        shop,
        "    inputs: {question: x}\n    agent: shop:flaky\n    trials: 3\n    checks: [{output: {contains: never}}]\n",
    )
    result = pytester.runpytest("--refinery", "--reruns", "1")
    assert result.parseoutcomes() == {"failed": 1, "rerun": 1}


@pytest.mark.parametrize(
    ("agent", "inputs", "runs"),
    [
        ("graph", '{messages: [{role: user, content: "Where is order 7?"}]}', 9),
        ("async_graph", '{messages: [{role: user, content: "Where is order 7?"}]}', 9),
        ("spanned", "{question: x}", 4),
    ],
)
def test_the_tracing_of_libraries_is_captured_and_sent_nowhere(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch, agent: str, inputs: str, runs: int
) -> None:
    for name, value in {"TRACING": "true", "API_KEY": "lsv2_pt_x", "ENDPOINT": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(f"LANGSMITH_{name}", value)
    write(
        shop,
        f"    inputs: {inputs}\n    checks:\n      - output: {{contains: ships tomorrow}}\n"
        "      - tools: {called: [find_order]}\n",
        head=f"agent: libraries:{agent}\n",
    )
    result = run("--refinery-report", "out", "-W", "error")
    result.assert_outcomes(passed=1)
    assert reported(shop)["trace"]["runs"] == runs
    assert "127.0.0.1:9" not in result.stdout.str() + result.stderr.str()


def test_langsmiths_own_pytest_plugin_disturbs_nothing(pytester: pytest.Pytester, shop: Path) -> None:
    write(
        shop,
        '    inputs: {messages: [{role: user, content: "Where is order 7?"}]}\n'
        "    checks: [{tools: {called: find_order}}]\n",
        head="agent: libraries:graph\n",
    )
    (shop / "test_plain.py").write_text(
        "from langsmith import traceable\n\n@traceable\ndef answer():\n    return 1\n\n"
        "def test_plain(refinery_trace):\n    with refinery_trace.capture() as run:\n        run.outputs = answer()\n"
        "    assert refinery_trace.trace.root.name == 'answer'\n",
        encoding="utf-8",
    )
    result = pytester.runpytest_subprocess("--refinery", "-p", "langsmith.pytest_plugin")
    result.assert_outcomes(passed=2)


def test_each_trial_is_judged(run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        write(shop, "    inputs: {question: x}\n    trials: 2\n")
        run("--refinery-report", "out")
        judged = server.requests("POST", "/responses")
    item = reported(shop)
    assert [trial["judge"]["trials"] for trial in item["agent"]["trials"]] == [1, 1]
    assert len(judged) >= 2
    spent = sum(trial["judge"]["cost"]["input_tokens"] for trial in item["agent"]["trials"])
    session = json.loads((shop / "out" / "report.json").read_text("utf-8"))["session"]
    assert session["tokens"] > spent > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_model_says_of_new_traces_replays(
    pytester: pytest.Pytester, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids and times of the agent's runs differ each time; what is asked about them does not."""
    write(
        shop,
        '    inputs: {messages: [{role: user, content: "Where is order 7?"}]}\n    trials: 2\n',
        head="agent: libraries:graph\n",
    )
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        pytester.runpytest("--refinery", "--refinery-record", "all", "--refinery-report", "out")
        first = reported(shop)
    monkeypatch.delenv("OPENAI_API_KEY")
    pytester.runpytest("--refinery", "--refinery-record", "none", "--refinery-report", "out")
    second = reported(shop)
    assert (second["outcome"], second["error"]) == (first["outcome"], None)
    assert second["judge"]["reasons"] == first["judge"]["reasons"]
    assert len(second["agent"]["trials"]) == 2


@pytest.mark.parametrize(
    ("when", "check", "answer"),
    [
        ("passed", "{contains: tomorrow}", "You asked: Where? It ships tomorrow."),
        ("passed", "{contains: yesterday}", "Gone."),
        ("all", "{contains: yesterday}", "You asked: Where? It ships tomorrow."),
    ],
)
def test_what_a_re_run_agent_did_becomes_the_recording_where_that_is_wanted(
    pytester: pytest.Pytester, shop: Path, when: str, check: str, answer: str
) -> None:
    write(shop, f"    trace: order.json\n    checks:\n      - output: {check}\n")
    (shop / "order.json").write_text(json.dumps(RECORDED), encoding="utf-8")
    result = pytester.runpytest("--refinery", f"--refinery-update={when}", "-p", "no:xdist")
    trace = JsonFiles().load("order.json", base=shop)
    assert messages.answer_text(trace.root.outputs) == answer
    assert trace_inputs.of(trace) == {"question": "Where?"}
    said = "shop.refinery.yaml::one: The recording order.json was updated with the trace of this run."
    assert any(said in line for line in result.outlines) == (answer != "Gone.")


def test_without_being_asked_no_recording_is_touched(pytester: pytest.Pytester, shop: Path) -> None:
    write(shop, "    trace: order.json\n    checks:\n      - output: {contains: tomorrow}\n")
    (shop / "order.json").write_text(json.dumps(RECORDED), encoding="utf-8")
    pytester.runpytest("--refinery", "-p", "no:xdist").assert_outcomes(passed=1)
    assert json.loads((shop / "order.json").read_text(encoding="utf-8")) == RECORDED
