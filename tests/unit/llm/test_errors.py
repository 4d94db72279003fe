from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.errors import crashed_runs, failed_calls
from pytest_refinery.llm.builtin.reading import Reading
from pytest_refinery.traces.model import Run, Trace
from tests.unit.llm.scenes import agent, case, did, signs, speaks, talk, user


def test_a_failed_call_is_blamed_on_the_step_that_made_it() -> None:
    assert signs(failed_calls, user("Go."), did("update_order", {"id": "A1"}, "Error: no item given")) == [
        ("1", "failed_change")
    ]


def test_a_change_that_the_records_state_forbids_has_a_rule_of_its_own() -> None:
    failed = did("exchange_order", {"id": "A1"}, "Error: non-delivered order cannot be exchanged")
    assert signs(failed_calls, user("Go."), failed) == [("1", "forbidden_change")]


def test_a_look_up_that_finds_nothing_is_no_wrong_call() -> None:
    assert signs(failed_calls, user("Go."), did("find_user", {"email": "x"}, "Error: user not found")) == [
        ("1", "missed_lookup")
    ]


def test_a_service_that_is_down_is_to_blame_itself() -> None:
    assert signs(failed_calls, user("Go."), did("get_rates", {}, "Error: connection timed out")) == [
        ("2", "service_failed")
    ]


def test_a_result_that_speaks_of_errors_has_not_failed() -> None:
    assert signs(failed_calls, user("Go."), did("get_log", {}, {"entries": ["the error was repaired"]})) == []


def test_code_that_raised_is_blamed_on_its_author() -> None:
    team = (
        agent("Task: count.", "Planner"),
        agent("```python\nprint(x)\n```", "Coder"),
        speaks(
            "Computer_terminal", "exitcode: 1 (execution failed)\nTraceback ...\nNameError: name 'x' is not defined"
        ),
    )
    assert signs(failed_calls, *team) == [("1", "failed_call")]


def test_later_failures_of_the_same_tool_count_less() -> None:
    again = [part for number in range(3) for part in did("update_order", {"try": number}, "Error: wrong")]
    found = list(failed_calls(Reading.of(case(talk(user("Go."), again)))))
    strengths = [sign.strength for sign in found]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] == 1.0 > strengths[1] > strengths[2]


def test_a_run_that_ended_in_an_error_is_found() -> None:
    runs = (
        Run(id="root", name="agent", kind="chain", error="ValueError: no key"),
        Run(id="llm", name="Model", kind="llm", parent_id="root", inputs={"messages": []}, error="ValueError: no key"),
    )
    (sign,) = crashed_runs(Reading.of(case(Trace(id="t", name="t", runs=runs))))
    assert (sign.step.run_id, sign.quote) == ("llm", "ValueError: no key")


def test_of_a_traceback_the_sentence_that_names_the_error_is_quoted() -> None:
    error = "ValueError('no key')Traceback (most recent call last):\n\n  File 'a.py', line 1\n\nValueError: no key"
    (sign,) = crashed_runs(
        Reading.of(case(Trace(id="t", name="t", runs=(Run(id="r", name="a", kind="chain", error=error),))))
    )
    assert (sign.quote, sign.what) == ("ValueError: no key", "a ended in an error: “ValueError: no key”.")
