"""What LangGraph and LangChain write of the scenario of ``opening_hours``, in each way that their users dump it.

Run as a script to write the files: ``python -m tests.unit.sources.formats.libraries.langgraph_dumps FOLDER``.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
    messages_to_dict,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import StructuredTool, ToolException
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from tests.unit.sources.formats.libraries import written
from tests.unit.sources.formats.opening_hours import ANSWER, ARGUMENTS, QUESTION, SYSTEM, TOOL, WRITTEN, Right, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import RunnableConfig

CONFIGURATION: RunnableConfig = {"configurable": {"thread_id": "t"}}
KNOWN = Right(is_error_known=True)
# What a graph streams does not hold what it was given.
STREAMED = Right(has_system=False, has_question=False, is_error_known=True)
RUNS = Right(format="langsmith", is_error_known=True)


class Scripted(BaseChatModel):
    """Calls the tool, then answers."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *_: object, **__: object) -> ChatResult:
        call = {"name": TOOL, "args": ARGUMENTS, "id": "call_7"}
        has_result = any(isinstance(message, ToolMessage) for message in messages)
        said = AIMessage(ANSWER) if has_result else AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=said)])

    def _stream(self, messages: list[BaseMessage], *_: object, **__: object) -> Iterator[ChatGenerationChunk]:
        if any(isinstance(message, ToolMessage) for message in messages):
            chunks = [AIMessageChunk(content=ANSWER[:7]), AIMessageChunk(content=ANSWER[7:])]
        else:
            pieces = ((TOOL, "", "call_7"), (None, WRITTEN[:9], None), (None, WRITTEN[9:], None))
            chunks = [
                AIMessageChunk(content="", tool_call_chunks=[{"name": name, "args": args, "id": key, "index": 0}])
                for name, args, key in pieces
            ]
        yield from (ChatGenerationChunk(message=chunk) for chunk in chunks)


def graph(*, fails: bool) -> Any:  # noqa: ANN401  (LangGraph's own type has four parameters)
    def opening_hours(store: str, day: str) -> str:
        if fails:
            raise ToolException(result(fails=True))
        return result(fails=False)

    tool = StructuredTool.from_function(opening_hours, description="When a store opens.", handle_tool_error=True)

    def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [Scripted().invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("agent", agent)
    builder.add_node("tools", ToolNode([tool]))
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", tools_condition)
    builder.add_edge("tools", "agent")
    return builder.compile(checkpointer=InMemorySaver())


def asked() -> dict[str, Any]:
    return {"messages": [SystemMessage(SYSTEM), HumanMessage(QUESTION)]}


def dumps(*, fails: bool) -> dict[str, tuple[Right, bytes]]:
    """Return what each way to dump writes, and what of the scenario it holds."""

    def streamed(mode: str | list[str], **options: object) -> bytes:
        items = graph(fails=fails).stream(asked(), CONFIGURATION, stream_mode=mode, **options)
        return written.lines(dumpd(item) for item in items)

    async def events() -> bytes:
        found = graph(fails=fails).astream_events(asked(), CONFIGURATION, version="v2")
        return written.lines([dumpd(event) async for event in found])

    ran = graph(fails=fails)
    collector = RunCollectorCallbackHandler()
    state = ran.invoke(asked(), {**CONFIGURATION, "callbacks": [collector]})
    said, snapshot = state["messages"], ran.get_state(CONFIGURATION)
    (run,) = collector.traced_runs
    return {
        "dumpd": (KNOWN, written.whole(dumpd(state))),
        "messages_to_dict": (KNOWN, written.whole(messages_to_dict(said))),
        "model_dump": (KNOWN, written.whole([message.model_dump() for message in said])),
        "vars": (KNOWN, json.dumps(state, default=vars).encode()),
        "convert_to_openai_messages": (Right(), written.whole(convert_to_openai_messages(said))),
        "get_state": (KNOWN, written.whole(dumpd(snapshot._asdict()))),
        "get_state, as a tuple": (KNOWN, written.whole(dumpd(snapshot))),
        "get_state_history": (
            KNOWN,
            written.whole([dumpd(each._asdict()) for each in ran.get_state_history(CONFIGURATION)]),
        ),
        "a checkpoint": (KNOWN, written.whole(dumpd(ran.checkpointer.get_tuple(CONFIGURATION)._asdict()))),
        "stream of values": (KNOWN, streamed("values")),
        "stream of values and updates": (KNOWN, streamed(["values", "updates"])),
        "stream of checkpoints": (KNOWN, streamed("checkpoints")),
        "stream of updates": (STREAMED, streamed("updates")),
        "stream of updates of subgraphs": (STREAMED, streamed("updates", subgraphs=True)),
        "stream of messages": (STREAMED, streamed("messages")),
        "astream_events": (RUNS, asyncio.run(events())),
        "a collected run": (RUNS, run.model_dump_json().encode()),
    }


if __name__ == "__main__":
    written.files(dumps)
