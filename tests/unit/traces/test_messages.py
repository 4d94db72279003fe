from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.traces import messages
from pytest_refinery.traces.messages import Reading, answer_text, read
from pytest_refinery.traces.model import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.traces.model import Json

Form = dict[str, Any]
ARGUMENTS: dict[str, Json] = {"account": "A-1", "days": 30}
CALL = ToolCall(name="list_transactions", arguments=ARGUMENTS, id="call_1")


def constructor(name: str, /, **kwargs: object) -> Form:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", name], "kwargs": kwargs}


def openai_call(**fields: object) -> Form:
    return {
        "id": "call_1",
        "type": "function",
        "function": {"name": CALL.name, "arguments": json.dumps(ARGUMENTS)},
        **fields,
    }


def langchain_call() -> Form:
    return {"name": CALL.name, "args": ARGUMENTS, "id": "call_1", "type": "tool_call"}


SYSTEM = [
    constructor("SystemMessage", content="Be brief.", type="system"),
    constructor("SystemMessageChunk", content="Be brief."),
    constructor("ChatMessage", content="Be brief.", role="system"),
    {"type": "system", "content": "Be brief."},
    {"type": "system", "data": {"content": "Be brief.", "type": "system"}},
    {"type": "SystemMessage", "content": "Be brief."},
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "system", "text": "Be brief."},
]
USER = [
    constructor("HumanMessage", content="Hello"),
    constructor("HumanMessage", content=[{"type": "text", "text": "Hello"}]),
    constructor("HumanMessageChunk", content=["Hello"]),
    {"type": "human", "content": "Hello", "additional_kwargs": {}, "response_metadata": {}, "id": "x"},
    {"type": "HumanMessageChunk", "content": "Hello"},
    {"type": "chat", "role": "user", "content": "Hello"},
    {"role": "user", "content": "Hello"},
    {"role": "human", "content": [{"type": "text", "text": "Hello"}]},
    {"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "parts": [{"text": "Hello"}]},
    {"role": "user", "parts": [{"type": "text", "content": "Hello"}]},
    {"role": "User", "content": "Hello"},
]
REPLY = [
    constructor("AIMessage", content="Done.", tool_calls=[], invalid_tool_calls=[]),
    constructor("AIMessageChunk", content="Done.", tool_call_chunks=[]),
    {"type": "ai", "content": "Done."},
    {"type": "AIMessageChunk", "content": "Done."},
    {"role": "assistant", "content": "Done.", "refusal": None, "tool_calls": None, "function_call": None},
    {"role": "assistant", "content": None, "refusal": "Done."},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done.", "annotations": []}]},
    {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
    {"role": "assistant", "content": [{"type": "text", "text": {"value": "Done.", "annotations": []}}]},
    {"role": "model", "parts": [{"text": "Done."}]},
    {"text": "Done.", "generation_info": None, "type": "Generation"},
    {
        "text": "Done.",
        "generation_info": {},
        "message": constructor("AIMessage", content="Done."),
        "type": "ChatGeneration",
    },
    {"text": "Done.", "message": {"role": "assistant", "content": "Done."}},
]
CALLING = [
    constructor(
        "AIMessage", content="", tool_calls=[langchain_call()], additional_kwargs={"tool_calls": [openai_call()]}
    ),
    constructor("AIMessage", content="", additional_kwargs={"tool_calls": [openai_call(index=0)]}),
    constructor(
        "AIMessage",
        content=[{"type": "tool_use", "id": "call_1", "name": CALL.name, "input": {}}],
        tool_calls=[langchain_call()],
    ),
    constructor("AIMessageChunk", content="", tool_call_chunks=[{**langchain_call(), "args": json.dumps(ARGUMENTS)}]),
    {"type": "ai", "content": "", "tool_calls": [langchain_call()]},
    {"role": "assistant", "content": None, "tool_calls": [openai_call()]},
    {"role": "assistant", "tool_calls": [openai_call()]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": CALL.name, "input": ARGUMENTS}]},
    {"role": "assistant", "content": [{"type": "tool_call", "id": "call_1", "name": CALL.name, "args": ARGUMENTS}]},
    {"role": "model", "parts": [{"functionCall": {"id": "call_1", "name": CALL.name, "args": ARGUMENTS}}]},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "call_1", "name": CALL.name, "arguments": json.dumps(ARGUMENTS)}],
    },
    {
        "role": "assistant",
        "content": [{"type": "tool-call", "toolCallId": "call_1", "toolName": CALL.name, "input": ARGUMENTS}],
    },
    {"role": "assistant", "content": [{"toolUse": {"toolUseId": "call_1", "name": CALL.name, "input": ARGUMENTS}}]},
    {"type": "function_call", "id": "fc_9", "call_id": "call_1", "name": CALL.name, "arguments": json.dumps(ARGUMENTS)},
    {
        "text": "",
        "generation_info": {"finish_reason": "tool_calls"},
        "message": {"type": "ai", "content": "", "tool_calls": [langchain_call()]},
    },
]
RESULT = [
    constructor("ToolMessage", content="12 rows", tool_call_id="call_1", status="success"),
    {"type": "tool", "content": "12 rows", "tool_call_id": "call_1"},
    {"role": "tool", "content": "12 rows", "tool_call_id": "call_1"},
    {"role": "tool", "content": [{"type": "text", "text": "12 rows"}], "tool_call_id": "call_1"},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "12 rows"}]},
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "12 rows"}]}],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "12 rows"}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "result": "12 rows"}]},
    {"role": "user", "content": [{"toolResult": {"toolUseId": "call_1", "content": [{"text": "12 rows"}]}}]},
    {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "call_1", "output": "12 rows"}]},
    {"type": "function_call_output", "call_id": "call_1", "output": "12 rows"},
    {"role": "function", "parts": [{"functionResponse": {"id": "call_1", "response": "12 rows"}}]},
]
SAME: list[tuple[Message, list[Form]]] = [
    (Message(role="system", text="Be brief."), SYSTEM),
    (Message(role="user", text="Hello"), USER),
    (Message(role="assistant", text="Done."), REPLY),
    (Message(role="assistant", text="", tool_calls=(CALL,)), CALLING),
    (Message(role="tool", text="12 rows", tool_call_id="call_1"), RESULT),
]
FORMS = [(expected, form) for expected, forms in SAME for form in forms]
IN_PLACES: dict[str, Callable[[Form], object]] = {
    "alone": lambda form: form,
    "in a list": lambda form: [form],
    "under messages": lambda form: {"messages": [form]},
    "in a batch": lambda form: {"messages": [[form]]},
    "under a state": lambda form: {"state": {"agent": {"messages": (form,)}}},
    "in choices": lambda form: {"choices": [{"message": form}]},
    "in generations": lambda form: {"generations": [[form]]},
    "in a constructor of no message": lambda form: {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "PromptValue"],
        "kwargs": {"messages": [form]},
    },
}


@pytest.mark.parametrize("place", IN_PLACES)
@pytest.mark.parametrize(("expected", "form"), FORMS)
def test_every_serialisation_gives_the_same_message(expected: Message, form: Form, place: str) -> None:
    found = read(IN_PLACES[place](form))
    assert found.messages == (expected,)
    assert found.rest in (None, {"generation_info": {"finish_reason": "tool_calls"}}) or "finish_reason" in str(
        found.rest
    )


@pytest.mark.parametrize(
    "pairs",
    [
        [["human", "Hello"], ["ai", "Done."]],
        [("user", "Hello"), ("assistant", "Done.")],
        {"messages": [["user", "Hello"], ["assistant", [{"type": "text", "text": "Done."}]]]},
        [["user", "Hello"], {"role": "assistant", "content": "Done."}],
    ],
)
def test_pairs_of_role_and_text_are_messages(pairs: object) -> None:
    expected = (Message(role="user", text="Hello"), Message(role="assistant", text="Done."))
    assert read(pairs) == Reading(expected, None)


def test_a_single_pair_under_messages_is_a_message() -> None:
    assert read({"messages": ["user", "Hello"]}).messages == (Message(role="user", text="Hello"),)


@pytest.mark.parametrize(
    "value", [{"groups": ["user", "admin"]}, ["tool", "model"], [["user", "a"], 3], ["user", "x", "y"]]
)
def test_words_that_are_no_messages_stay_what_they_are(value: object) -> None:
    assert read(value) == Reading((), value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        5,
        [],
        {},
        [1, None, 2],
        {"a": [None, {"b": 1}]},
        {"role": "admin"},
        {"type": "function", "function": {"name": "f", "parameters": {}}},
        {"type": "tool", "name": "x"},
        {"type": "reasoning", "summary": []},
        {"id": "x", "content": "no role"},
    ],
)
def test_a_value_without_messages_is_all_rest(value: object) -> None:
    assert read(value) == Reading((), value)  # type: ignore[arg-type]


def test_null_fields_are_left_out_of_the_rest() -> None:
    assert read({"a": None, "b": {"c": None}, "d": 1}).rest == {"d": 1}
    assert read({"a": None}).rest is None


@pytest.mark.parametrize(
    "names", [None, [], [5], ["langchain", "PromptValue"], ["langchain", "HumanMessagePromptTemplate"]]
)
def test_a_serialised_object_that_is_no_message_is_its_fields(names: object) -> None:
    value = {"lc": 1, "type": "constructor", "id": names, "kwargs": {"content": "x", "version": None}}
    assert read(value) == Reading((), {"content": "x"})


def test_what_stands_beside_messages_remains() -> None:
    value = {"messages": [USER[0], "a plain text", None], "model": "m-1", "options": {"n": 1, "seed": None}}
    found = read(value)
    assert found.messages == (Message(role="user", text="Hello"),)
    assert found.rest == {"messages": ["a plain text"], "model": "m-1", "options": {"n": 1}}


def test_one_object_may_be_several_messages() -> None:
    turn = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "no rows", "is_error": True},
            {"type": "tool_result", "tool_use_id": "b", "content": None},
            {"type": "text", "text": "Go on."},
        ],
    }
    assert read(turn).messages == (
        Message(role="tool", text="no rows", tool_call_id="a", is_error=True),
        Message(role="tool", text="", tool_call_id="b"),
        Message(role="user", text="Go on."),
    )


def test_a_tool_message_may_be_an_error() -> None:
    [message] = read(
        constructor("ToolMessage", content="Timed out", tool_call_id="c", status="error", name="search")
    ).messages
    assert message == Message(role="tool", text="Timed out", name="search", tool_call_id="c", is_error=True)


def test_calls_keep_their_order_and_each_is_kept_once() -> None:
    first, second = langchain_call(), {**langchain_call(), "id": "call_2"}
    blocks = [
        {"type": "tool_use", "id": "call_3", "name": "x", "input": {}},
        {"type": "tool_use", "id": "call_2", "name": "y"},
    ]
    [message] = read({"type": "ai", "content": blocks, "tool_calls": [first, second]}).messages
    assert [call.id for call in message.tool_calls] == ["call_1", "call_2", "call_3"]


def test_equal_calls_without_ids_are_two_calls() -> None:
    part = {"functionCall": {"name": "roll", "args": {}}}
    [message] = read({"role": "model", "parts": [part, part]}).messages
    assert message.tool_calls == (ToolCall(name="roll"), ToolCall(name="roll"))


def test_calls_that_could_not_be_parsed_are_kept_with_their_text() -> None:
    broken = {"name": "f", "args": '{"a": 1', "id": "c", "error": "cut off", "type": "invalid_tool_call"}
    [message] = read({"type": "ai", "content": "", "tool_calls": [], "invalid_tool_calls": [broken]}).messages
    assert message.tool_calls == (ToolCall(name="f", arguments='{"a": 1', id="c"),)


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{}", {}),
        (None, {}),
        ("", ""),
        ("[1]", "[1]"),
        ('{"a": ', '{"a": '),
        ({"a": 1}, {"a": 1}),
        ([1], "[1]"),
        (r'{"a": "\ud83d"}', {"a": "?"}),
    ],
)
def test_arguments_are_an_object_or_the_text_that_the_model_wrote(written: object, arguments: object) -> None:
    [message] = read({"role": "assistant", "function_call": {"name": "f", "arguments": written}}).messages
    assert message.tool_calls == (ToolCall(name="f", arguments=arguments),)  # type: ignore[arg-type]


def test_a_custom_tool_is_called_with_a_text() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    [message] = read({"role": "assistant", "tool_calls": [call]}).messages
    assert message.tool_calls == (ToolCall(name="sql", arguments="select 1", id="c"),)


@pytest.mark.parametrize(
    "form",
    [
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}, {"type": "text", "text": "Yes."}],
        },
        {
            "role": "assistant",
            "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "Yes."}],
            "reasoning_content": "Hm.",
        },
        {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Yes."}]},
        {
            "role": "assistant",
            "content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, "Yes."],
        },
        {"type": "ai", "content": "Yes.", "additional_kwargs": {"reasoning_content": "Hm."}},
        {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "Yes."}]},
        {
            "role": "assistant",
            "parts": [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "Yes."}],
        },
    ],
)
def test_reasoning_is_no_part_of_what_was_said(form: Form) -> None:
    assert read(form).messages == (Message(role="assistant", text="Yes.", thinking="Hm."),)
    assert answer_text(form) == "Yes."


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, "[image_url]"),
        ({"type": "input_file", "file_id": "f"}, "[input_file]"),
        ({"type": "document", "source": {"type": "text", "data": "Terms"}}, "Terms"),
        ({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, "[inlineData]"),
        ({"type": "input_json_delta", "partial_json": "{"}, ""),
        ({"type": "mystery", "value": 1}, '{"type": "mystery", "value": 1}'),
        ("bare", "bare"),
        (5, "5"),
    ],
)
def test_blocks_of_other_kinds_become_text(block: object, text: str) -> None:
    [message] = read({"role": "user", "content": [block]}).messages
    assert message.text == text


def test_texts_of_several_blocks_stand_on_lines_of_their_own() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert read({"role": "user", "content": content}).messages[0].text == "a\nb"


@pytest.mark.parametrize(
    ("word", "role"),
    [("Human", "user"), ("AI", "assistant"), ("model", "assistant"), ("function", "tool"), ("critic", "critic")],
)
def test_roles_of_every_vendor_are_the_same_four(word: str, role: str) -> None:
    assert messages.role_of(word) == role


ANSWER = "Your cash balance is 12.00 USD."
HISTORY = [{"role": "user", "content": "Cash?"}, {"role": "assistant", "content": "One moment."}]


@pytest.mark.parametrize(
    "outputs",
    [
        ANSWER,
        {"output": ANSWER},
        {"answer": ANSWER, "sources": ["a", "b"]},
        {"whatever": ANSWER},
        [ANSWER],
        {"output": {"answer": ANSWER}},
        {"messages": [*HISTORY, {"role": "assistant", "content": ANSWER}]},
        {"messages": [*HISTORY, {"role": "assistant", "content": ANSWER}, CALLING[0], RESULT[0]]},
        {"chat_history": HISTORY, "answer": ANSWER},
        {"output": {"messages": [*HISTORY, {"role": "assistant", "content": ANSWER}]}, "text": {"format": "text"}},
        {
            "id": "r",
            "output": [{"type": "reasoning"}, {"role": "assistant", "content": ANSWER}],
            "text": {"format": {}},
        },
        {"messages": [*HISTORY, {"role": "assistant", "content": ANSWER}], "result": {"rows": 3}},
        {"output": "", "messages": [{"role": "assistant", "content": ANSWER}]},
        {"choices": [{"message": {"role": "assistant", "content": ANSWER}}]},
        {"generations": [[{"text": ANSWER, "generation_info": None}]], "llm_output": None},
        {"generations": [[{"text": ANSWER, "message": constructor("AIMessage", content=ANSWER)}]]},
        {"role": "assistant", "content": ANSWER},
        {"content": [{"type": "text", "text": ANSWER}]},
        constructor("AIMessage", content=[{"type": "text", "text": ANSWER}]),
        {"output": {"type": "tool", "content": ANSWER, "tool_call_id": "c"}},
        {"speaker": {"role": "critic", "content": ANSWER}},
    ],
)
def test_the_answer_is_found_however_it_is_wrapped(outputs: object) -> None:
    assert answer_text(outputs) == ANSWER


@pytest.mark.parametrize(
    ("outputs", "answer"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"output": None}, None),
        ({"messages": [USER[0]]}, "Hello"),
        ({"messages": [CALLING[0]]}, None),
        ({"rows": 3, "total": 5}, '{"rows": 3, "total": 5}'),
        ({"output": {"rows": 3}}, '{"rows": 3}'),
        ({"output": 0}, "0"),
        ({"ok": False}, '{"ok": false}'),
        ([1, 2], "[1, 2]"),
        ("", ""),
    ],
)
def test_outputs_without_a_reply_are_answered_by_what_there_is(outputs: object, answer: str | None) -> None:
    assert answer_text(outputs) == answer


TEXT = st.text(max_size=12)


@st.composite
def written_messages(draw: st.DrawFn) -> tuple[Message, Form]:
    expected, forms = draw(st.sampled_from([SAME[0], SAME[1], SAME[2]]))
    text = draw(TEXT)
    form = json.loads(json.dumps(draw(st.sampled_from(forms))).replace(json.dumps(expected.text), json.dumps(text)))
    return replace(expected, text=text), form


@given(written=st.lists(written_messages(), max_size=6))
def test_any_mixture_of_serialisations_keeps_every_text_in_order(written: list[tuple[Message, Form]]) -> None:
    found = read({"messages": [form for _, form in written]}).messages
    assert [(message.role, message.text) for message in found] == [
        (message.role, message.text) for message, _ in written
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "type",
                    "content",
                    "parts",
                    "lc",
                    "id",
                    "kwargs",
                    "text",
                    "generation_info",
                    "message",
                    "tool_calls",
                    "data",
                    "output",
                ]
            )
            | TEXT,
            inner
            | st.sampled_from(
                ["user", "ai", "constructor", "tool_use", "tool_result", "function_call", 1, ["AIMessage"]]
            ),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(value=JSON)
def test_no_value_breaks_the_reading(value: object) -> None:
    found = read(value)
    json.dumps(found.rest)
    assert isinstance(answer_text(value), str | None)


@given(value=JSON)
def test_what_remains_holds_no_message(value: object) -> None:
    rest = read(value).rest
    assert read(rest).rest == rest
