"""What smolagents writes of the scenario of ``opening_hours``.

Run as a script to write the files: ``python -m tests.unit.sources.formats.libraries.smolagents_dumps FOLDER``.
"""

from __future__ import annotations

from typing import Any

from smolagents import ChatMessage, Model, Tool, ToolCallingAgent
from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction, MessageRole

from tests.unit.sources.formats.libraries import written
from tests.unit.sources.formats.opening_hours import ANSWER, ARGUMENTS, QUESTION, TOOL, Right, result

# The agent's instructions stand within a longer prompt of the library.
KNOWN = Right(has_system=False, format="smolagents", is_error_known=True)


class Hours(Tool):  # type: ignore[misc]
    """Looks up when a store opens."""

    name = TOOL
    description = "When a store opens."
    inputs = {key: {"type": "string", "description": key} for key in ARGUMENTS}  # noqa: RUF012  (as the library has it)
    output_type = "string"
    fails = False

    def forward(self, store: str, day: str) -> str:
        if self.fails:
            raise RuntimeError(result(fails=True))
        return result(fails=False)


class Scripted(Model):  # type: ignore[misc]
    """Calls the tool, then answers."""

    asked = 0

    def generate(self, *_: object, **__: object) -> ChatMessage:
        self.asked += 1
        name, arguments = (TOOL, ARGUMENTS) if self.asked == 1 else ("final_answer", {"answer": ANSWER})
        function = ChatMessageToolCallFunction(name=name, arguments=arguments)
        call = ChatMessageToolCall(id=f"call_{self.asked}", type="function", function=function)
        return ChatMessage(role=MessageRole.ASSISTANT, content=None, tool_calls=[call])


def dumps(*, fails: bool) -> dict[str, tuple[Right, bytes]]:
    """Return what each way to dump writes, and what of the scenario it holds."""
    tool = Hours()
    tool.fails = fails
    agent: Any = ToolCallingAgent(tools=[tool], model=Scripted(model_id="scripted"), verbosity_level=0)
    ended = agent.run(QUESTION, return_full_result=True)
    return {
        "get_full_steps": (KNOWN, written.whole(agent.memory.get_full_steps())),
        "get_succinct_steps": (KNOWN, written.whole(agent.memory.get_succinct_steps())),
        "a full result": (KNOWN, written.whole(ended.dict())),
    }


if __name__ == "__main__":
    written.files(dumps)
