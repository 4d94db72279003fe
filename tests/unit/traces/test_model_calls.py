from __future__ import annotations

from typing import Any

import pytest

from pytest_refinery.traces import model_calls
from pytest_refinery.traces.model import Run

PARAMETERS = {"type": "object", "properties": {"number": {"type": "integer"}}}
ASKED = [{"role": "system", "content": "You help."}, {"role": "user", "content": "Where is order 7?"}]
CALLING = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "c1", "function": {"name": "find", "arguments": "{}"}}],
}


def run(**other: Any) -> Run:  # noqa: ANN401  (any field)
    fields: dict[str, Any] = {
        "id": "r",
        "name": "model",
        "kind": "llm",
        "inputs": {"messages": ASKED},
        "outputs": {"messages": [{"role": "assistant", "content": "Tomorrow."}]},
        "settings": {"model": "gpt-4o", "temperature": 0.3, "unknown": 1},
    }
    return Run.model_validate(fields | other)


def test_a_whole_call_is_read() -> None:
    call = model_calls.read(run())
    assert (call.model, call.system, call.answer.text, call.missing) == ("gpt-4o", "You help.", "Tomorrow.", ())
    assert call.parameters == {"temperature": 0.3}
    assert [message.role for message in call.messages] == ["system", "user"]


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "find", "description": "Finds.", "parameters": PARAMETERS}},
        {"type": "function", "name": "find", "description": "Finds.", "parameters": PARAMETERS},
        {"name": "find", "description": "Finds.", "input_schema": PARAMETERS},
    ],
    ids=["chat", "responses", "anthropic"],
)
def test_tools_of_every_vendor_are_read(tool: object) -> None:
    call = model_calls.read(run(settings={"model": "m", "tools": [tool]}, outputs={"messages": [CALLING]}))
    assert call.tools == (model_calls.Tool("find", "Finds.", PARAMETERS),)
    assert ([each.name for each in call.answer.tool_calls], call.missing) == (["find"], ())


@pytest.mark.parametrize(
    ("other", "missing"),
    [
        ({"kind": "chain"}, "the call itself: the run is no call of a model"),
        ({"inputs": {"messages": ASKED[:1]}}, "what the model was asked"),
        ({"outputs": None}, "the answer"),
        ({"outputs": {"messages": [CALLING]}}, "the tools that the model could call"),
        ({"inputs": {"messages": [*ASKED, CALLING]}}, "the tools that the model could call"),
        (
            {"inputs": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}},
            "images, files or other parts of messages",
        ),
        (
            {"inputs": {"messages": [{"role": "user", "content": "A long text [truncated 300 characters]"}]}},
            "the ends of texts that were cut off",
        ),
    ],
)
def test_what_is_missing_is_named(other: dict[str, Any], missing: str) -> None:
    assert model_calls.read(run(**other)).missing == (missing,)


def test_instructions_beside_the_messages_are_the_system_prompt() -> None:
    call = model_calls.read(run(inputs={"instructions": "You help.", "input": "Where is order 7?"}))
    assert [(message.role, message.text) for message in call.messages] == [
        ("system", "You help."),
        ("user", "Where is order 7?"),
    ]


def test_another_prompt_takes_the_place_of_all_system_messages() -> None:
    call = model_calls.read(run(inputs={"messages": [ASKED[0], *ASKED]})).told("You are short.")
    assert [(message.role, message.text) for message in call.messages] == [
        ("system", "You are short."),
        ("user", "Where is order 7?"),
    ]
