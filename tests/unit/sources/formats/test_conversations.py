"""What stands beside a conversation, and what its messages show of calls that are not in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysts.rules.facts import calls
from pytest_refinery.digest.render import digest
from pytest_refinery.expectations import tool_calls
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import answer, conversation, model_calls, prompts
from tests.unit.sources.formats import opening_hours
from tests.unit.sources.formats.opening_hours import ANSWER, QUESTION, SYSTEM, TOOL, vercel_4
from tests.unit.sources.formats.scenario import passes

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Trace

PARAMETERS = {"type": "object", "properties": {"store": {"type": "string"}}, "required": ["store"]}
WORDS = "Looks up when a store is open."
ASKED = {"id": "1", "role": "user", "content": QUESTION}
ANSWERED = {"id": "2", "role": "assistant", "content": ANSWER}
BARE = "Its messages have ids but no fields for calls of tools: what the agent called may be missing."
STEPS = "Steps of an assistant that went on without the call of a tool in them."


def load(folder: Path, content: object) -> Trace:
    (folder / "trace.json").write_text(json.dumps(content))
    return JsonFiles().load("trace.json", base=folder)


@pytest.mark.parametrize(
    ("key", "tools", "messages"),
    [
        ("messages", [{"name": TOOL, "description": WORDS, "input_schema": PARAMETERS}], opening_hours.openai()[1:]),
        (
            "messages",
            [{"type": "function", "function": {"name": TOOL, "description": WORDS, "parameters": PARAMETERS}}],
            opening_hours.openai()[1:],
        ),
        (
            "contents",
            [{"functionDeclarations": [{"name": TOOL, "description": WORDS, "parameters": PARAMETERS}]}],
            opening_hours.gemini(fails=False)["contents"],
        ),
    ],
    ids=["Anthropic", "OpenAI", "Google"],
)
def test_the_tools_beside_a_conversation_are_those_that_its_agent_was_offered(
    tmp_path: Path, key: str, tools: list[object], messages: list[object]
) -> None:
    trace = load(tmp_path, {"model": "small", "system": SYSTEM, "tools": tools, key: messages})
    assert calls.descriptions(trace) == {TOOL: WORDS}
    assert [each for run in trace.runs for each in model_calls.offered(run)] == [
        model_calls.Tool(TOOL, WORDS, PARAMETERS)
    ]
    assert f"{TOOL}(store: string)" in digest(trace).text
    assert ("system", SYSTEM) in [(prompt.kind, prompt.text) for prompt in prompts.extract(trace)]


def test_the_tools_in_a_logged_request_are_known(tmp_path: Path) -> None:
    tools = [{"name": TOOL, "description": WORDS, "input_schema": PARAMETERS}]
    request = {"model": "small", "tools": tools, "messages": [{"role": "user", "content": QUESTION}]}
    trace = load(tmp_path, [{"request": request, "response": {"role": "assistant", "content": ANSWER}}])
    assert calls.descriptions(trace) == {TOOL: WORDS}


@pytest.mark.parametrize("given", [{}, {"toolInvocations": None}, {"toolInvocations": []}])
def test_messages_of_a_user_interface_without_calls_say_that_calls_may_be_missing(
    tmp_path: Path, given: dict[str, object]
) -> None:
    trace = load(tmp_path, {"messages": [ASKED, {**ANSWERED, **given}]})
    assert (answer.of(trace).text, trace.notes) == (ANSWER, (BARE,))


def test_messages_that_show_their_calls_say_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, vercel_4(fails=False)).notes == ()
    assert load(tmp_path, [{**ASKED}, {**ANSWERED, "tool_calls": None}]).notes == ()


@pytest.mark.parametrize("parts", [[{"type": "text", "text": ANSWER}], []])
def test_calls_beside_parts_that_hold_none_are_read(tmp_path: Path, parts: list[object]) -> None:
    asked, answered = vercel_4(fails=False)["messages"]
    trace = load(tmp_path, [asked, {**answered, "parts": parts}])
    assert ([call.name for call in tool_calls.of(trace)], answer.of(trace).text) == ([TOOL], ANSWER)


def test_a_step_that_went_on_without_a_call_is_noticed(tmp_path: Path) -> None:
    start, text = {"type": "step-start"}, {"type": "text", "text": ANSWER}
    for parts, notes in (([start, start, text], (STEPS,)), ([start, text], ())):
        assert load(tmp_path, [ASKED, {**ANSWERED, "parts": parts}]).notes == notes


def test_a_column_without_values_leaves_a_table_one(tmp_path: Path) -> None:
    table = opening_hours.by_column(opening_hours.langsmith_rows(fails=False))
    trace = load(tmp_path, {**table, "tags": None})
    assert ([call.name for call in tool_calls.of(trace)], answer.of(trace).text) == ([TOOL], ANSWER)


@pytest.mark.parametrize(("kind", "fails"), [("error-text", True), ("error-json", True), ("text", False)])
def test_the_typed_output_of_a_tool_is_its_result(tmp_path: Path, kind: str, *, fails: bool) -> None:
    given = {"type": "tool-result", "toolCallId": "c", "toolName": TOOL, "output": {"type": kind, "value": "down"}}
    called = {"type": "tool-call", "toolCallId": "c", "toolName": TOOL, "input": {}}
    messages = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": [called]},
        {"role": "tool", "content": [given]},
        {"role": "assistant", "content": ANSWER},
    ]
    trace = load(tmp_path, messages)
    assert [step.text for step in conversation.read(trace).steps if step.role == "tool"] == ["down"]
    assert passes(trace, errors="none") is not fails


def test_a_call_that_the_service_answered_itself_stands_before_its_result(tmp_path: Path) -> None:
    blocks = [
        {"type": "server_tool_use", "id": "c", "name": "web_search", "input": {"query": "hours"}},
        {"type": "web_search_tool_result", "tool_use_id": "c", "content": [{"type": "web_search_result", "url": "u"}]},
        {"type": "text", "text": ANSWER},
    ]
    trace = load(tmp_path, [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": blocks}])
    steps = conversation.read(trace).steps
    assert [step.role for step in steps] == ["user", "assistant", "tool", "assistant"]
    assert answer.of(trace).text == ANSWER


def test_parts_with_data_for_the_page_are_no_part_of_the_conversation(tmp_path: Path) -> None:
    messages = opening_hours.vercel_5(fails=False)
    messages[1]["parts"].insert(1, {"type": "data-weather", "data": {"sun": True}})
    assert ([call.name for call in tool_calls.of(load(tmp_path, messages))]) == [TOOL]


def test_an_answer_of_a_model_that_is_not_understood_may_hold_calls(tmp_path: Path) -> None:
    runs = opening_hours.langsmith_rows(fails=False)
    runs[1]["outputs"] = [{"role": "assistant", "pieces": [{"type": "tool_call", "name": TOOL}]}]
    del runs[2]
    trace = load(tmp_path, runs)
    assert "Entries of what models answered that are not understood: 1." in trace.notes
    assert trace.calls_unknown.startswith("what its models answered")


def test_a_tree_of_answers_that_is_its_own_parent_ends(tmp_path: Path) -> None:
    export = opening_hours.chatgpt(fails=False)
    export[0]["mapping"][""]["parent"] = ""
    assert [call.name for call in tool_calls.of(load(tmp_path, export))] == [TOOL]


def test_a_span_with_an_empty_id_ends(tmp_path: Path) -> None:
    spans = opening_hours.otlp(fails=True)
    spans[1]["spanId"] = ""
    assert [call.name for call in tool_calls.of(load(tmp_path, spans))] == [TOOL]


def test_a_number_that_a_tool_gave_is_its_result(tmp_path: Path) -> None:
    messages = vercel_4(fails=False)
    messages["messages"][1]["toolInvocations"][0]["result"] = 5
    trace = load(tmp_path, messages)
    assert [call.name for call in tool_calls.of(trace)] == [TOOL]
