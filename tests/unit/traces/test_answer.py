from __future__ import annotations

from pytest_refinery.traces import answer
from tests.unit.expectations.made import make_run, make_trace, speaking


def test_the_answer_is_what_the_last_root_says() -> None:
    trace = make_trace(
        make_run("turn-1", outputs={"output": "first"}),
        make_run(
            "turn-2", outputs={"messages": [{"type": "human", "content": "Hi"}, {"type": "ai", "content": "second"}]}
        ),
        make_run("llm", "llm", parent_id="turn-2", outputs={"output": "inner"}),
    )
    found = answer.of(trace)
    assert (found.text, found.run.id) == ("second", "turn-2")


def test_a_root_without_outputs_has_no_answer() -> None:
    found = answer.of(make_trace(make_run("agent", error="boom")))
    assert (found.text, found.run.id) == (None, "agent")


def test_where_a_root_records_nothing_the_answer_is_what_a_model_said_last() -> None:
    trace = make_trace(
        make_run("agent"),
        make_run("llm-1", "llm", parent_id="agent", outputs=[{"role": "assistant", "content": "Let me see."}]),
        make_run("llm-2", "llm", parent_id="agent", outputs=[{"role": "assistant", "content": "It rains."}]),
        make_run("tool", "tool", parent_id="agent", outputs="logged"),
    )
    found = answer.of(trace)
    assert (found.text, found.run.id) == ("It rains.", "llm-2")


def test_a_root_that_failed_has_no_answer_whatever_a_model_said_before() -> None:
    said = make_run("llm", "llm", parent_id="agent", outputs=[{"role": "assistant", "content": "Let me see."}])
    assert answer.of(make_trace(make_run("agent", error="boom"), said)).text is None


def test_the_answer_of_a_transcript_is_the_agents_last_message() -> None:
    trace = speaking(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi", "name": "Ms. Vogel"},
        {"role": "assistant", "content": "Hello"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Thanks", "name": "Ms. Vogel"},
    )
    found = answer.of(trace)
    assert (found.text, found.run.id) == ("Hello", "2")


def test_other_words_for_roles_are_agents_too() -> None:
    trace = speaking({"role": "human", "content": "Hi"}, {"role": "Orchestrator (-> WebSurfer)", "content": "Go on"})
    assert answer.of(trace).text == "Go on"


def test_in_a_group_chat_where_all_are_users_the_last_message_is_the_answer() -> None:
    trace = speaking(
        {"role": "user", "content": "Find it.", "name": "Planner"},
        {"role": "assistant", "content": "Where?", "name": "Searcher"},
        {"role": "user", "content": "FINAL: 42", "name": "Checker"},
    )
    assert answer.of(trace).text == "FINAL: 42"


def test_a_transcript_in_which_no_agent_speaks_has_no_answer() -> None:
    found = answer.of(speaking({"role": "user", "content": "Hi"}, {"role": "user", "content": "Anyone?"}))
    assert (found.text, found.run.id) == (None, "1")
