"""A recorded call of the agent's model as a question: its own messages, tools and parameters, in either protocol."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from pytest_refinery.analysis.ports import Stage
from pytest_refinery.analysts.model.queries import Query
from pytest_refinery.digest import tokens
from pytest_refinery.traces.model_calls import arguments_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_refinery.analysts.model.models import Abilities
    from pytest_refinery.traces.model import Message
    from pytest_refinery.traces.model_calls import ModelCall, Tool

_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_USUAL_LIMIT = 2_000
_AROUND_A_MESSAGE = 4
# What the Responses API knows by the same name.
_SHARED = frozenset({"temperature", "top_p", "tool_choice", "parallel_tool_calls"})


@dataclass(frozen=True)
class ReplayedCall(Query):
    """A recorded call, to be made again."""

    call: ModelCall | None = None

    @property
    def kind(self) -> str:
        """What tells requests apart whose costs differ."""
        return str(self.stage)

    def input_tokens(self, abilities: Abilities) -> int:  # noqa: ARG002  (as in the base)
        """Return what the request carries, by our own count."""
        return tokens.estimate(self.text)


def query(call: ModelCall) -> ReplayedCall:
    """Return the question that a recorded call is."""
    asked = next((int(call.parameters[name]) for name in _LIMITS if call.parameters.get(name)), _USUAL_LIMIT)
    return ReplayedCall(
        stage=Stage.REPLAY,
        model=call.model,
        instructions=call.system,
        text=json.dumps([*_chat_messages(call), *map(_function, call.tools)], ensure_ascii=False),
        answer=BaseModel,
        max_output_tokens=asked,
        temperature=0.0,
        has_fixed_room=True,
        call=call,
    )


def without_dropped(body: dict[str, Any], abilities: Abilities) -> dict[str, Any]:
    """Return a request without the parameters that the service has rejected."""
    return {name: value for name, value in body.items() if name not in set(map(str, abilities.dropped))}


def chat_body(call: ModelCall) -> dict[str, Any]:
    """Return what a request over Chat Completions says beside the limit of the answer."""
    others = {name: value for name, value in call.parameters.items() if name not in _LIMITS}
    tools = [{"type": "function", "function": _function(tool)} for tool in call.tools]
    return {
        "model": call.model,
        "messages": list(_chat_messages(call)),
        **({"tools": tools} if tools else {}),
        **{name: value for name, value in others.items() if tools or "tool" not in name},
    }


def _chat_messages(call: ModelCall) -> Iterator[dict[str, Any]]:
    for message in call.messages:
        calls = [
            {"id": each.id or each.name, "type": "function", "function": _called(each)} for each in message.tool_calls
        ]
        answered = {"tool_call_id": message.tool_call_id or message.name or ""} if message.role == "tool" else {}
        yield {"role": message.role, "content": message.text, **({"tool_calls": calls} if calls else {}), **answered}


def _called(call: Any) -> dict[str, str]:  # noqa: ANN401  (ToolCall)
    return {"name": call.name, "arguments": arguments_text(call)}


def _function(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


def responses_body(call: ModelCall) -> dict[str, Any]:
    """Return what a request over the Responses API says beside the limit of the answer."""
    tools = [{"type": "function", "strict": False, **_function(tool)} for tool in call.tools]
    shared = {name: value for name, value in call.parameters.items() if name in _SHARED}
    effort = call.parameters.get("reasoning_effort")
    return {
        "model": call.model,
        "instructions": call.system,
        "input": [item for message in call.messages if message.role != "system" for item in _items(message)],
        "store": False,
        **({"tools": tools} if tools else {}),
        **{name: _flat(value) for name, value in shared.items() if tools or "tool" not in name},
        **({"reasoning": {"effort": effort}} if effort else {}),
        **_format(call.parameters.get("response_format")),
    }


def _items(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        call_id = message.tool_call_id or message.name or ""
        yield {"type": "function_call_output", "call_id": call_id, "output": message.text}
        return
    if message.text or not message.tool_calls:
        yield {"role": message.role, "content": message.text}
    for each in message.tool_calls:
        yield {"type": "function_call", "call_id": each.id or each.name, **_called(each)}


def _flat(choice: Any) -> Any:  # noqa: ANN401  (any JSON)
    """Return the choice of a tool as this protocol has it: the name beside the type."""
    named = choice.get("function") if isinstance(choice, dict) else None
    return {"type": "function", **named} if isinstance(named, dict) else choice


def _format(wanted: Any) -> Mapping[str, Any]:  # noqa: ANN401  (any JSON)
    if not isinstance(wanted, dict):
        return {}
    return {"text": {"format": {"type": wanted.get("type"), **(wanted.get("json_schema") or {})}}}
