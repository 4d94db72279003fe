from __future__ import annotations

import pytest

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations.checks import run_checks
from tests.unit.expectations.made import answering, decide, make_check, make_run, make_trace, speaking

FAILED = make_trace(
    make_run("agent", error="ToolException: no such account"),
    make_run("tool", "tool", parent_id="agent", error="ToolException: no such account"),
    make_run("retry", "tool", parent_id="agent", error="Timeout after 30 s"),
)


def test_no_error_passes_in_short_and_in_long() -> None:
    assert decide("errors", "none", answering("Hi")).message == "expected no failed run, was none"
    assert decide("errors", {"none": True}, answering("Hi")).passed


def test_an_error_is_said_with_the_run_in_which_it_arose() -> None:
    assert decide("errors", "none", FAILED).message == (
        "expected no failed run, was 2: 'ToolException: no such account' (in run 'tool', id tool)"
    )


def test_an_error_that_parents_pass_on_counts_once() -> None:
    assert decide("errors", {"at_most": 2}, FAILED).passed
    assert decide("errors", {"at_most": 1}, FAILED).message == (
        "expected at most 1 failed run, was 2: 'Timeout after 30 s' (in run 'retry', id retry)"
    )


def test_a_tool_result_that_calls_itself_an_error_is_one() -> None:
    result = {"type": "tool", "content": "Error: no such tool", "status": "error", "tool_call_id": "c1"}
    trace = make_trace(make_run("agent"), make_run("tool", "tool", parent_id="agent", outputs={"output": result}))
    assert decide("errors", "none", trace).actual == "1: 'Error: no such tool', as the tool's result says"


def test_an_error_in_a_transcript_is_found() -> None:
    blocks = [{"type": "tool_result", "tool_use_id": "c1", "content": "denied", "is_error": True}]
    verdict = decide("errors", "none", speaking({"role": "user", "content": blocks}))
    assert (verdict.passed, verdict.run_id) == (False, "0")


def test_an_error_text_can_be_ruled_out() -> None:
    verdicts = run_checks([make_check("errors", {"not_matches": ["(?i)timeout", "quota"]})], FAILED)
    assert [verdict.passed for verdict in verdicts] == [False, True]
    assert verdicts[0].message == (
        "expected no error that matches '(?i)timeout', was 'Timeout after 30 s' (in run 'retry', id retry)"
    )


def test_runs_are_counted_by_kind_and_name() -> None:
    assert decide("runs", {"at_most": 3}, FAILED).passed
    assert decide("runs", {"at_most": 1, "kind": "chain"}, FAILED).passed
    assert decide("runs", {"at_most": 0, "kind": "tool", "name": "agent"}, FAILED).passed


def test_the_first_run_too_many_is_named() -> None:
    assert decide("runs", {"at_most": 1, "kind": "tool"}, FAILED).message == (
        "expected at most 1 tool run, was 2 (in run 'retry', id retry)"
    )
    assert decide("runs", {"at_most": 0, "name": "tool"}, FAILED).expected == "at most 0 runs of 'tool'"


def test_the_whole_trace_is_timed() -> None:
    trace = make_trace(make_run("agent", seconds=2.5), make_run("llm", "llm", parent_id="agent", seconds=1))
    assert decide("latency", {"seconds": 2.5}, trace).passed
    assert decide("latency", {"seconds": 2}, trace).message == (
        "expected at most 2 seconds, was 2.500 seconds (in run 'agent', id agent)"
    )


def test_a_trace_without_times_leaves_latency_undecided() -> None:
    with pytest.raises(CheckError) as caught:
        decide("latency", {"seconds": 2}, answering("Hi"))
    assert str(caught.value) == "latency.seconds cannot be decided: the trace 'support' records no times."


USED = make_trace(
    make_run("agent", usage={"total_tokens": 1030}),
    make_run("first", "llm", parent_id="agent", usage={"total_tokens": 30}),
    make_run("second", "llm", parent_id="agent", usage={"input_tokens": 900, "output_tokens": 100}),
    make_run("inner", "llm", parent_id="second", usage={"total_tokens": 1000}),
)


def test_the_tokens_of_llm_runs_are_added_up_once() -> None:
    assert decide("tokens", {"at_most": 1030}, USED).passed


def test_too_many_tokens_name_the_largest_run() -> None:
    assert decide("tokens", {"at_most": 1000}, USED).message == (
        "expected at most 1,000 tokens, was 1,030 (in run 'second', id second)"
    )


def test_a_failed_call_needs_no_usage() -> None:
    trace = make_trace(make_run("a", "llm", usage={"total_tokens": 5}), make_run("b", "llm", error="503"))
    assert decide("tokens", {"at_most": 5}, trace).passed


def test_missing_usage_leaves_a_limit_undecided_that_is_not_exceeded_yet() -> None:
    trace = make_trace(make_run("a", "llm", usage={"total_tokens": 5}), make_run("b", "llm"))
    assert not decide("tokens", {"at_most": 4}, trace).passed
    with pytest.raises(CheckError) as caught:
        decide("tokens", {"at_most": 5}, trace)
    assert str(caught.value) == (
        "tokens.at_most cannot be decided for the trace 'support': 1 of its 2 LLM runs record no usage."
    )


def test_a_trace_without_llm_runs_leaves_tokens_undecided() -> None:
    with pytest.raises(CheckError) as caught:
        decide("tokens", {"at_most": 5}, answering("Hi"))
    assert str(caught.value) == "tokens.at_most cannot be decided for the trace 'support': it has no LLM run."
