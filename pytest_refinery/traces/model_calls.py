"""A call of a model as a trace has it: all that is needed to make it again, or what is missing of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_refinery.traces import messages, prompts
from pytest_refinery.traces.model import Message, RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Json, Run, ToolCall

_PARAMETERS = frozenset(
    {"temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens", "tool_choice", "seed", "stop"}
    | {"parallel_tool_calls", "frequency_penalty", "presence_penalty", "response_format", "reasoning_effort"}
)
_MODEL_KEYS = ("model", "model_name", "ls_model_name")
_CUT = re.compile(r"\[(?:truncated|trimmed|cut)[^\]]*\]\s*$|\.\.\. ?\(?truncated\)?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Tool:
    """A tool that a model may call."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ModelCall:
    """A recorded call.

    Attributes:
        answer: What the model said and which tools it called.
        missing: What the trace does not hold, a few words each; a call can be made again only where nothing is missing.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    parameters: Mapping[str, Any]
    answer: Message
    missing: tuple[str, ...] = field(default=())

    @property
    def system(self) -> str:
        """The model's instructions, its system messages joined."""
        return "\n\n".join(message.text for message in self.messages if message.role == "system")

    def told(self, text: str) -> ModelCall:
        """Return the call with another system message in the place of its own."""
        others = tuple(message for message in self.messages if message.role != "system")
        return replace(self, messages=(Message(role="system", text=text), *others))


def read(run: Run) -> ModelCall:
    """Return the call that a run records."""
    inputs = run.inputs if isinstance(run.inputs, Mapping) else {}
    bare = [Message(role=role, text=text) for role, text in prompts.bare_texts(inputs)]
    said = [*(each for each in bare if each.role == "system"), *messages.read(run.inputs).messages]
    given = tuple(said if any(each.role != "system" for each in said) else [*said, *bare[len(said) :]])
    stated = _stated(run)
    call = ModelCall(
        model=next((str(stated[key]) for key in _MODEL_KEYS if stated.get(key)), ""),
        messages=given,
        tools=offered(run),
        parameters={key: value for key, value in stated.items() if key in _PARAMETERS and value is not None},
        answer=_answer(run),
    )
    return replace(call, missing=tuple(_missing(run, call)))


def offered(run: Run) -> tuple[Tool, ...]:
    """Return the tools that the model of a run could call, as far as the trace says."""
    stated = _stated(run)
    return tuple(_tools(stated.get("tools") or stated.get("functions")))


def _stated(run: Run) -> Mapping[str, Any]:
    return {**_invocation(run), **_mapping(run.inputs), **run.settings}


def _invocation(run: Run) -> Mapping[str, Any]:
    found = run.metadata.get("invocation_params")
    return {**{key: run.metadata[key] for key in _MODEL_KEYS if key in run.metadata}, **(_mapping(found))}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _answer(run: Run) -> Message:
    found = messages.read(run.outputs).messages
    text = "\n".join(message.text for message in found if message.text)
    return Message("assistant", text, tool_calls=tuple(call for message in found for call in message.tool_calls))


def _tools(value: object) -> Iterator[Tool]:
    for item in value if isinstance(value, list) else ():
        tool = _mapping(item)
        tool = _mapping(tool.get("function")) or tool
        parameters = next((tool[key] for key in ("parameters", "input_schema", "args_schema") if key in tool), None)
        yield Tool(str(tool.get("name") or ""), str(tool.get("description") or ""), _mapping(parameters))


def _missing(run: Run, call: ModelCall) -> Iterator[str]:
    if run.kind != RunKind.LLM:
        yield "the call itself: the run is no call of a model"
        return
    if not any(message.role == "user" for message in call.messages):
        yield "what the model was asked"
    if not (call.answer.text or call.answer.tool_calls):
        yield "the answer"
    known = {tool.name for tool in call.tools}
    called = {each.name for message in (*call.messages, call.answer) for each in message.tool_calls}
    if any(not tool.name for tool in call.tools) or not called <= known:
        yield "the tools that the model could call"
    if any(message.attached or message.unknown for message in call.messages):
        yield "images, files or other parts of messages"
    if any(_CUT.search(message.text) for message in call.messages):
        yield "the ends of texts that were cut off"


def arguments_text(call: ToolCall) -> str:
    """Return the arguments of a call as JSON."""
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)


def as_outputs(answer: Message) -> Json:
    """Return an answer as the outputs of a run."""
    calls: list[Json] = [
        {
            "id": call.id or f"call-{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": arguments_text(call)},
        }
        for number, call in enumerate(answer.tool_calls, start=1)
    ]
    message: dict[str, Json] = {"role": "assistant", "content": answer.text}
    return {"messages": [message | ({"tool_calls": calls} if calls else {})]}
