"""Agents on the real libraries with scripted models; inner runs get this file as a module of their own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langsmith import traceable
from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM = "You are a shop's assistant."


class ScriptedModel(FakeMessagesListChatModel):
    """Answers as told, in turn, and then from the beginning."""

    def bind_tools(self, tools: object, **kwargs: object) -> ScriptedModel:
        return self


@tool
def find_order(number: int) -> str:
    """Find an order."""
    return f"Order {number} ships tomorrow."


def calling(number: int) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "find_order", "args": {"number": number}, "id": "call-1"}])


class State(TypedDict):
    messages: Annotated[list[Any], add_messages]


def build(chat: Any) -> Any:  # noqa: ANN401  (LangGraph's types have many parameters)
    graph = StateGraph(State)
    graph.add_node("chat", chat)
    graph.add_node("tools", ToolNode([find_order]))
    graph.add_edge(START, "chat")
    graph.add_conditional_edges("chat", tools_condition)
    graph.add_edge("tools", "chat")
    return graph.compile()


model = ScriptedModel(responses=[calling(7), AIMessage("It ships tomorrow.")])


def chat(state: State) -> dict[str, Any]:
    return {"messages": [model.invoke([("system", SYSTEM), *state["messages"]])]}


async def chat_later(state: State) -> dict[str, Any]:
    return {"messages": [await model.ainvoke([("system", SYSTEM), *state["messages"]])]}


graph = build(chat)
async_graph = build(chat_later)

prompt = ChatPromptTemplate.from_messages([("system", SYSTEM), ("user", "{question}")])
chain = prompt | ScriptedModel(responses=[AIMessage("It ships tomorrow.")])


@traceable(run_type="tool")
def look_up(number: int) -> str:
    return f"Order {number} ships tomorrow."


@traceable(run_type="llm")
async def complete(messages: list[dict[str, str]]) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"role": "assistant", "content": f"You asked: {messages[-1]['content']}"}


@traceable
async def traced(question: str) -> str:
    found = look_up(7)
    answers = await asyncio.gather(
        complete([{"role": "user", "content": question}]), complete([{"role": "user", "content": found}])
    )
    return answers[-1]["content"]


@traceable
def failing(question: str) -> str:
    look_up(7)
    msg = f"no answer to {question}"
    raise LookupError(msg)


@traceable
def threaded(question: str) -> str:
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(copy_context().run, look_up, number).result() for number in (1, 2)]
    bare = threading.Thread(target=look_up, args=(3,))
    bare.start()
    bare.join()
    return f"{question} {found[-1]}"


@traceable
def streaming(question: str) -> Iterator[str]:
    yield "It ships "
    yield "tomorrow."


tracer = trace.get_tracer("shop")


def spanned(question: str) -> str:
    with tracer.start_as_current_span("invoke_agent shop") as agent:
        agent.set_attribute("gen_ai.operation.name", "invoke_agent")
        with tracer.start_as_current_span("chat gpt") as call:
            call.set_attribute("gen_ai.operation.name", "chat")
            call.set_attribute("gen_ai.request.model", "gpt")
            call.set_attribute(
                "gen_ai.input.messages", '[{"role": "user", "parts": [{"type": "text", "content": "Where?"}]}]'
            )
            call.set_attribute(
                "gen_ai.output.messages",
                '[{"role": "assistant", "parts": [{"type": "text", "content": "It ships tomorrow."}]}]',
            )
        with tracer.start_as_current_span("execute_tool find_order") as called:
            called.set_attribute("gen_ai.operation.name", "execute_tool")
            called.set_attribute("gen_ai.tool.name", "find_order")
    return "It ships tomorrow."


def mixed(question: str) -> str:
    """Spans around LangSmith runs, and inside them."""
    with tracer.start_as_current_span("request"):
        return outer(question)


@traceable
def outer(question: str) -> str:
    with tracer.start_as_current_span("cache"):
        return look_up(7)


def bare(question: str) -> str:
    return f"You asked: {question}"
