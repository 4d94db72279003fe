"""What Haystack writes of the scenario of ``opening_hours``.

Run as a script to write the files: ``python -m tests.unit.sources.formats.libraries.haystack_dumps FOLDER``.
"""

from __future__ import annotations

from typing import Any

from haystack import component
from haystack.components.agents import Agent
from haystack.dataclasses import ChatMessage, ToolCall
from haystack.tools import Tool

from tests.unit.sources.formats.libraries import written
from tests.unit.sources.formats.opening_hours import ANSWER, ARGUMENTS, QUESTION, SYSTEM, TOOL, Right, result

KNOWN = Right(format="haystack", is_error_known=True)


@component
class Scripted:
    """Calls the tool, then answers."""

    @component.output_types(replies=list[ChatMessage])  # type: ignore[untyped-decorator]
    def run(self, messages: list[Any], tools: Any = None, **_: object) -> dict[str, list[ChatMessage]]:  # noqa: ANN401
        if any(message.tool_call_results for message in messages):
            return {"replies": [ChatMessage.from_assistant(ANSWER)]}
        call = ToolCall(tool_name=TOOL, arguments=ARGUMENTS, id="call_7")
        return {"replies": [ChatMessage.from_assistant(tool_calls=[call])]}


def dumps(*, fails: bool) -> dict[str, tuple[Right, bytes]]:
    """Return what each way to dump writes, and what of the scenario it holds."""

    def look_up(store: str, day: str) -> str:
        if fails:
            raise RuntimeError(result(fails=True))
        return result(fails=False)

    properties = {key: {"type": "string"} for key in ARGUMENTS}
    parameters = {"type": "object", "properties": properties}
    tool = Tool(name=TOOL, description="When a store opens.", parameters=parameters, function=look_up)
    said = Agent(chat_generator=Scripted(), tools=[tool], system_prompt=SYSTEM).run(
        messages=[ChatMessage.from_user(QUESTION)]
    )["messages"]
    return {
        "to_dict": (KNOWN, written.whole([message.to_dict() for message in said])),
        "under messages": (KNOWN, written.whole({"messages": [message.to_dict() for message in said]})),
        "to_openai_dict_format": (
            Right(is_error_known=True),
            written.whole([message.to_openai_dict_format() for message in said]),
        ),
    }


if __name__ == "__main__":
    written.files(dumps)
