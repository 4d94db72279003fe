"""One scenario, in each format as its tool writes it.

A user asks when a store opens, the agent looks that up once, and gives another answer than the tool did. ``RIGHT``
is the count of it by hand; ``SAMPLES`` make it, with a tool that succeeds or fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEM = "You answer for the stores of a baker."
QUESTION = "Is the store in Berlin open on Sunday?"
TOOL = "opening_hours"
ARGUMENTS = {"store": "Berlin", "day": "Sunday"}
CLOSED = "closed all day"
FAULT = "store directory unreachable"
ANSWER = "Yes, from ten to four."
WRITTEN = json.dumps(ARGUMENTS)
START = 1_780_000_000
TIMES = [f"2026-05-28T20:26:{40 + second:02}+00:00" for second in range(6)]

Record = dict[str, Any]


@dataclass(frozen=True)
class Right:
    """What a format can hold of the scenario; ``is_error_known`` where it says that a result is an error."""

    has_system: bool = True
    has_question: bool = True
    is_error_known: bool = False
    format: str = "transcript"


def result(*, fails: bool) -> str:
    return FAULT if fails else CLOSED


def openai(*, fails: bool = False, system: bool = True) -> list[Record]:
    called = {"id": "call_7", "type": "function", "function": {"name": TOOL, "arguments": WRITTEN}}
    return [
        *([{"role": "system", "content": SYSTEM}] if system else []),
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call_7", "content": result(fails=fails)},
        {"role": "assistant", "content": ANSWER},
    ]


def langchain(*, fails: bool = False) -> list[Record]:
    call = {"name": TOOL, "args": ARGUMENTS, "id": "call_7", "type": "tool_call"}
    status = "error" if fails else "success"
    return [
        {"type": "system", "content": SYSTEM, "id": "m1"},
        {"type": "human", "content": QUESTION, "id": "m2"},
        {"type": "ai", "content": "", "tool_calls": [call], "id": "m3"},
        {"type": "tool", "content": result(fails=fails), "name": TOOL, "tool_call_id": "call_7", "status": status},
        {"type": "ai", "content": ANSWER, "id": "m5"},
    ]


def lines(*values: object) -> bytes:
    return "\n".join(json.dumps(value) for value in values).encode()


def states(*, fails: bool) -> list[list[Record]]:
    whole = langchain(fails=fails)
    return [whole[:length] for length in range(2, len(whole) + 1)]


def snapshot(values: list[Record], step: int) -> Record:
    return {
        "values": {"messages": values},
        "next": [],
        "metadata": {"step": step, "source": "loop"},
        "created_at": TIMES[step],
        "checkpoint": {"checkpoint_id": f"c{step}", "thread_id": "th"},
        "tasks": [],
    }


def graph_updates(*, fails: bool) -> list[Record]:
    _, _, asked, told, said = langchain(fails=fails)
    return [{"agent": {"messages": [asked]}}, {"tools": {"messages": [told]}}, {"agent": {"messages": [said]}}]


def graph_chunks(*, fails: bool) -> list[object]:
    """Return the stream of a graph in the mode ``messages``: the answer in pieces, the arguments cut in the middle."""
    where = {"langgraph_step": 1, "langgraph_node": "agent"}
    first = {"type": "AIMessageChunk", "content": "", "id": "r1"}
    pieces = [
        {**first, "tool_call_chunks": [{"name": TOOL, "args": WRITTEN[:9], "id": "call_7", "index": 0}]},
        {**first, "tool_call_chunks": [{"name": None, "args": WRITTEN[9:], "id": None, "index": 0}]},
        langchain(fails=fails)[3],
        {"type": "AIMessageChunk", "content": ANSWER[:8], "id": "r2"},
        {"type": "AIMessageChunk", "content": ANSWER[8:], "id": "r2"},
    ]
    return [[piece, where] for piece in pieces]


def graph_events(*, fails: bool) -> list[Record]:
    system, question, asked, told, said = langchain(fails=fails)

    def event(word: str, name: str, run: str, **data: object) -> Record:
        return {"event": word, "name": name, "run_id": run, "parent_ids": [] if run == "g" else ["g"], "data": data}

    before = {"messages": [[system, question]]}
    after = {"messages": [[system, question, asked, told]]}
    ending = (
        event("on_tool_error", TOOL, "t", input=ARGUMENTS, error=FAULT)
        if fails
        else event("on_tool_end", TOOL, "t", input=ARGUMENTS, output=told)
    )
    return [
        event("on_chain_start", "desk", "g", input={"messages": [system, question]}),
        event("on_chat_model_start", "ChatModel", "a", input=before),
        event("on_chat_model_stream", "ChatModel", "a", chunk={**asked, "type": "AIMessageChunk"}),
        event("on_chat_model_end", "ChatModel", "a", input=before, output=asked),
        event("on_tool_start", TOOL, "t", input=ARGUMENTS),
        ending,
        event("on_chat_model_start", "ChatModel", "b", input=after),
        event("on_chat_model_end", "ChatModel", "b", input=after, output=said),
        event("on_chain_end", "desk", "g", output={"messages": [system, question, asked, told, said]}),
    ]


def steps(*, fails: bool) -> list[Record]:
    """Return the spans of the scenario, of no tool's shape: an agent, a model, a tool, the model again."""
    first, last = openai(fails=fails)[:2], openai(fails=fails)[:4]
    return [
        {
            "id": "s1",
            "parent": None,
            "name": "desk",
            "kind": "agent",
            "in": {"question": QUESTION},
            "out": {"answer": ANSWER},
        },
        {"id": "s2", "parent": "s1", "name": "chat", "kind": "llm", "in": {"messages": first}, "out": openai()[2]},
        {
            "id": "s3",
            "parent": "s1",
            "name": TOOL,
            "kind": "tool",
            "in": ARGUMENTS,
            "out": None if fails else CLOSED,
            "error": FAULT if fails else None,
        },
        {"id": "s4", "parent": "s1", "name": "chat", "kind": "llm", "in": {"messages": last}, "out": openai()[4]},
    ]


def timed(number: int) -> tuple[int, int]:
    return START + (0, 0, 1, 2)[number], START + (5, 1, 2, 4)[number]


def conventions(step: Record) -> Record:
    """Return a step in the attributes of the GenAI conventions."""
    if step["kind"] == "tool":
        given = {} if step["error"] else {"gen_ai.tool.call.result": step["out"]}
        return {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": TOOL,
            "gen_ai.tool.call.id": "call_7",
            "gen_ai.tool.call.arguments": WRITTEN,
            **given,
        }
    if step["kind"] == "agent":
        return {"gen_ai.operation.name": "invoke_agent"}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "small",
        "gen_ai.input.messages": json.dumps(step["in"]["messages"]),
        "gen_ai.output.messages": json.dumps([step["out"]]),
    }


def otlp(*, fails: bool) -> list[Record]:
    return [
        {
            "traceId": "f" * 32,
            "spanId": step["id"],
            "parentSpanId": step["parent"] or "",
            "name": step["name"],
            "startTimeUnixNano": str(timed(number)[0] * 10**9),
            "endTimeUnixNano": str(timed(number)[1] * 10**9),
            "status": {"code": 2, "message": step["error"]} if step.get("error") else {},
            "attributes": [{"key": key, "value": {"stringValue": item}} for key, item in conventions(step).items()],
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def jaeger(*, fails: bool) -> Record:
    spans = [
        {
            "traceID": "f" * 32,
            "spanID": step["id"],
            "operationName": step["name"],
            "references": [{"refType": "CHILD_OF", "spanID": step["parent"]}] if step["parent"] else [],
            "startTime": timed(number)[0] * 10**6,
            "duration": (timed(number)[1] - timed(number)[0]) * 10**6,
            "tags": [
                *({"key": key, "type": "string", "value": item} for key, item in conventions(step).items()),
                *(
                    [{"key": "error", "value": True}, {"key": "otel.status_description", "value": FAULT}]
                    if step.get("error")
                    else []
                ),
            ],
            "logs": [],
            "processID": "p1",
        }
        for number, step in enumerate(steps(fails=fails))
    ]
    return {"data": [{"traceID": "f" * 32, "spans": spans, "processes": {"p1": {"serviceName": "desk"}}}], "total": 0}


def zipkin(*, fails: bool) -> list[Record]:
    return [
        {
            "traceId": "f" * 32,
            "id": step["id"],
            **({"parentId": step["parent"]} if step["parent"] else {}),
            "name": step["name"],
            "timestamp": timed(number)[0] * 10**6,
            "duration": (timed(number)[1] - timed(number)[0]) * 10**6,
            "localEndpoint": {"serviceName": "desk"},
            "tags": {
                **conventions(step),
                **({"otel.status_code": "ERROR", "error": FAULT} if step.get("error") else {}),
            },
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def phoenix(*, fails: bool) -> list[Record]:
    def spoken(messages: list[Record]) -> list[Record]:
        return [
            {
                "message.role": message["role"],
                "message.content": message["content"],
                **(
                    {
                        "message.tool_calls": [
                            {
                                "tool_call.id": "call_7",
                                "tool_call.function.name": TOOL,
                                "tool_call.function.arguments": WRITTEN,
                            }
                        ]
                    }
                    if message.get("tool_calls")
                    else {}
                ),
            }
            for message in messages
        ]

    return [
        {
            "name": step["name"],
            "span_kind": step["kind"].upper(),
            "parent_id": step["parent"],
            "start_time": timed(number)[0] * 1000,
            "end_time": timed(number)[1] * 1000,
            "status_code": "ERROR" if step.get("error") else "OK",
            "status_message": step.get("error") or "",
            "events": [],
            "context.trace_id": "f" * 32,
            "context.span_id": step["id"],
            "attributes.openinference.span.kind": step["kind"].upper(),
            "attributes.input.value": json.dumps(step["in"]) if step["kind"] != "llm" else None,
            "attributes.output.value": json.dumps(step["out"]) if step["kind"] != "llm" and step["out"] else None,
            "attributes.llm.input_messages": spoken(step["in"]["messages"]) if step["kind"] == "llm" else None,
            "attributes.llm.output_messages": spoken([step["out"]]) if step["kind"] == "llm" else None,
            "attributes.tool.name": TOOL if step["kind"] == "tool" else None,
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def by_column(rows: list[Record]) -> Record:
    return {key: {str(index): row[key] for index, row in enumerate(rows)} for key in rows[0]}


def split(rows: list[Record]) -> Record:
    columns = [*rows[0]]
    return {
        "columns": columns,
        "index": [*range(len(rows))],
        "data": [[row[column] for column in columns] for row in rows],
    }


def mlflow(*, fails: bool) -> Record:
    kinds = {"agent": "AGENT", "llm": "CHAT_MODEL", "tool": "TOOL"}
    spans = [
        {
            "trace_id": "8AAAAAAAAAAAAAAAAAAAAA==",
            "span_id": step["id"],
            "parent_span_id": step["parent"],
            "name": step["name"],
            "start_time_unix_nano": timed(number)[0] * 10**9,
            "end_time_unix_nano": timed(number)[1] * 10**9,
            "status": {
                "code": "STATUS_CODE_ERROR" if step.get("error") else "STATUS_CODE_OK",
                "message": step.get("error") or "",
            },
            "attributes": {
                "mlflow.spanType": json.dumps(kinds[step["kind"]]),
                "mlflow.spanInputs": json.dumps(step["in"]),
                "mlflow.spanOutputs": json.dumps(step["out"]),
            },
            "events": [],
        }
        for number, step in enumerate(steps(fails=fails))
    ]
    return {"info": {"trace_id": "tr-8", "state": "OK"}, "data": {"spans": spans}}


def logfire(*, fails: bool) -> list[Record]:
    return [
        {
            "trace_id": "f" * 32,
            "span_id": step["id"],
            "parent_span_id": step["parent"],
            "span_name": step["name"],
            "message": step["name"],
            "kind": "span",
            "level": 9,
            "start_timestamp": TIMES[timed(number)[0] - START],
            "end_timestamp": TIMES[timed(number)[1] - START],
            "is_exception": bool(step.get("error")),
            "otel_status_code": "ERROR" if step.get("error") else None,
            "otel_status_message": step.get("error"),
            "attributes": conventions(step),
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def opik(*, fails: bool) -> list[Record]:
    kinds = {"agent": "general", "llm": "llm", "tool": "tool"}
    return [
        {
            "id": step["id"],
            "trace_id": "o1",
            "parent_span_id": step["parent"],
            "name": step["name"],
            "type": kinds[step["kind"]],
            "start_time": TIMES[timed(number)[0] - START],
            "end_time": TIMES[timed(number)[1] - START],
            "input": step["in"],
            "output": step["out"] if step["kind"] != "tool" else {"output": step["out"]},
            "error_info": {"exception_type": "LookupError", "message": FAULT} if step.get("error") else None,
            "usage": {"prompt_tokens": 5, "completion_tokens": 2} if step["kind"] == "llm" else None,
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def braintrust(*, fails: bool) -> list[Record]:
    kinds = {"agent": "task", "llm": "llm", "tool": "tool"}
    return [
        {
            "id": step["id"],
            "span_id": step["id"],
            "root_span_id": "s1",
            "span_parents": [step["parent"]] if step["parent"] else None,
            "span_attributes": {"name": step["name"], "type": kinds[step["kind"]]},
            "created": TIMES[0],
            "metrics": {"start": timed(number)[0], "end": timed(number)[1]},
            "input": step["in"]["messages"] if step["kind"] == "llm" else step["in"],
            "output": [{"message": step["out"], "finish_reason": "stop"}] if step["kind"] == "llm" else step["out"],
            "error": step.get("error"),
            "metadata": {"model": "small"},
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def datadog(*, fails: bool) -> list[Record]:
    def side(step: Record, key: str) -> Record:
        if step["kind"] != "llm":
            return {"value": json.dumps(step[key])} if step[key] is not None else {}
        messages = step["in"]["messages"] if key == "in" else [step["out"]]
        return {
            "messages": [
                {
                    "role": message["role"],
                    "content": message["content"] or "",
                    **(
                        {"tool_calls": [{"name": TOOL, "arguments": ARGUMENTS, "tool_id": "call_7"}]}
                        if message.get("tool_calls")
                        else {}
                    ),
                    **({"tool_call_id": "call_7"} if message["role"] == "tool" else {}),
                }
                for message in messages
            ]
        }

    return [
        {
            "span_id": step["id"],
            "trace_id": "d1",
            "parent_id": step["parent"] or "undefined",
            "name": step["name"],
            "start_ns": timed(number)[0] * 10**9,
            "duration": (timed(number)[1] - timed(number)[0]) * 10**9,
            "status": "error" if step.get("error") else "ok",
            "meta": {
                "kind": step["kind"],
                "input": side(step, "in"),
                "output": side(step, "out"),
                **({"error": {"message": FAULT, "type": "LookupError"}} if step.get("error") else {}),
            },
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def weave(*, fails: bool) -> list[Record]:
    return [
        {
            "id": step["id"],
            "project_id": "team/shop",
            "op_name": f"weave:///team/shop/op/{step['name']}:b3c",
            "display_name": None,
            "trace_id": "w1",
            "parent_id": step["parent"],
            "started_at": TIMES[timed(number)[0] - START],
            "ended_at": TIMES[timed(number)[1] - START],
            "attributes": {"weave": {"kind": step["kind"]}},
            "inputs": step["in"],
            "output": step["out"],
            "exception": step.get("error"),
            "summary": {},
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def langsmith_rows(*, fails: bool) -> list[Record]:
    kinds = {"agent": "chain", "llm": "llm", "tool": "tool"}
    return [
        {
            "id": step["id"],
            "name": step["name"],
            "run_type": kinds[step["kind"]],
            "trace_id": "s1",
            "parent_run_id": step["parent"],
            "start_time": TIMES[timed(number)[0] - START],
            "end_time": TIMES[timed(number)[1] - START],
            "inputs": step["in"],
            "outputs": {"output": step["out"]} if step["kind"] == "tool" else step["out"],
            "error": step.get("error"),
        }
        for number, step in enumerate(steps(fails=fails))
    ]


def vercel_4(*, fails: bool) -> Record:
    invoked = {
        "toolCallId": "call_7",
        "toolName": TOOL,
        "args": ARGUMENTS,
        "state": "result",
        "result": result(fails=fails),
    }
    return {
        "messages": [
            {"id": "1", "role": "user", "content": QUESTION},
            {"id": "2", "role": "assistant", "content": ANSWER, "toolInvocations": [invoked]},
        ]
    }


def vercel_4_parts(*, fails: bool) -> list[Record]:
    asked, answered = vercel_4(fails=fails)["messages"]
    parts = [
        {"type": "step-start"},
        {"type": "tool-invocation", "toolInvocation": answered["toolInvocations"][0]},
        {"type": "step-start"},
        {"type": "text", "text": ANSWER},
    ]
    return [asked, {**answered, "parts": parts}]


def vercel_5(*, fails: bool) -> list[Record]:
    given = {"state": "output-error", "errorText": FAULT} if fails else {"state": "output-available", "output": CLOSED}
    return [
        {"id": "1", "role": "user", "parts": [{"type": "text", "text": QUESTION}]},
        {
            "id": "2",
            "role": "assistant",
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "I look it up."},
                {"type": f"tool-{TOOL}", "toolCallId": "call_7", "input": ARGUMENTS, **given},
                {"type": "step-start"},
                {"type": "text", "text": ANSWER, "state": "done"},
            ],
        },
    ]


def pydantic_ai(*, fails: bool) -> list[Record]:
    returned = {"tool_name": TOOL, "content": result(fails=fails), "tool_call_id": "call_7"}
    kind = {"part_kind": "retry-prompt"} if fails else {"part_kind": "tool-return", "outcome": "success"}
    return [
        {
            "kind": "request",
            "instructions": None,
            "parts": [
                {"part_kind": "system-prompt", "content": SYSTEM, "timestamp": TIMES[0]},
                {"part_kind": "user-prompt", "content": QUESTION, "timestamp": TIMES[0]},
            ],
        },
        {
            "kind": "response",
            "model_name": "small",
            "timestamp": TIMES[1],
            "parts": [
                {"part_kind": "thinking", "content": "I look it up."},
                {"part_kind": "tool-call", "tool_name": TOOL, "args": WRITTEN, "tool_call_id": "call_7"},
            ],
        },
        {"kind": "request", "parts": [{**returned, **kind, "timestamp": TIMES[2]}]},
        {"kind": "response", "timestamp": TIMES[4], "parts": [{"part_kind": "text", "content": ANSWER}]},
    ]


def adk(*, fails: bool, snake: bool = False) -> list[Record]:
    call, response = ("function_call", "function_response") if snake else ("functionCall", "functionResponse")
    given = {"error": FAULT} if fails else {"output": CLOSED}

    def event(number: int, author: str, role: str, part: Record) -> Record:
        return {
            "id": f"e{number}",
            "author": author,
            "timestamp": START + number,
            "content": {"role": role, "parts": [part]},
            "actions": {"stateDelta": {}},
        }

    return [
        event(0, "user", "user", {"text": QUESTION}),
        {**event(1, "desk", "model", {"text": "I"}), "partial": True},
        event(1, "desk", "model", {call: {"id": "call_7", "name": TOOL, "args": ARGUMENTS}}),
        event(2, "desk", "user", {response: {"id": "call_7", "name": TOOL, "response": given}}),
        {"id": "e9", "author": "desk", "timestamp": START + 3, "actions": {"stateDelta": {"seen": 1}}},
        event(4, "desk", "model", {"text": ANSWER}),
    ]


def assistants(*, fails: bool) -> Record:
    """Return the messages of a thread and the steps of its run, the last one first as the service lists them."""
    message = {"object": "thread.message", "thread_id": "th"}
    step = {"object": "thread.run.step", "thread_id": "th", "status": "completed"}
    function = {"name": TOOL, "arguments": WRITTEN, "output": result(fails=fails)}
    called = {"id": "call_7", "type": "function", "function": function}

    def text(value: str) -> list[Record]:
        return [{"type": "text", "text": {"value": value, "annotations": []}}]

    return {
        "object": "list",
        "data": [
            {**message, "id": "m2", "role": "assistant", "created_at": START + 4, "content": text(ANSWER)},
            {
                **step,
                "id": "p2",
                "type": "message_creation",
                "created_at": START + 3,
                "step_details": {"type": "message_creation", "message_creation": {"message_id": "m2"}},
            },
            {
                **step,
                "id": "p1",
                "type": "tool_calls",
                "created_at": START + 1,
                "step_details": {"type": "tool_calls", "tool_calls": [called]},
            },
            {**message, "id": "m1", "role": "user", "created_at": START, "content": text(QUESTION)},
        ],
    }


def responses(*, fails: bool) -> list[Record]:
    return [
        {"role": "user", "content": QUESTION},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "I look it up."}]},
        {"type": "function_call", "call_id": "call_7", "name": TOOL, "arguments": WRITTEN, "id": "fc_1"},
        {"type": "function_call_output", "call_id": "call_7", "output": result(fails=fails)},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]},
    ]


def autogen(*, fails: bool) -> Record:
    executed = {"content": result(fails=fails), "name": TOOL, "call_id": "call_7", "is_error": fails}
    return {
        "messages": [
            {"source": "user", "type": "TextMessage", "content": QUESTION, "models_usage": None},
            {"source": "desk", "type": "ThoughtEvent", "content": "I look it up."},
            {
                "source": "desk",
                "type": "ToolCallRequestEvent",
                "content": [{"id": "call_7", "name": TOOL, "arguments": WRITTEN}],
            },
            {"source": "desk", "type": "ToolCallExecutionEvent", "content": [executed]},
            {"source": "desk", "type": "TextMessage", "content": ANSWER},
        ],
        "stop_reason": None,
    }


def gemini_cli(*, fails: bool) -> list[Record]:
    response = {"error": FAULT} if fails else {"output": CLOSED}
    call = {
        "id": "call_7",
        "name": TOOL,
        "args": ARGUMENTS,
        "status": "error" if fails else "success",
        "result": [{"functionResponse": {"id": "call_7", "name": TOOL, "response": response}}],
    }
    return [
        {"id": "1", "timestamp": TIMES[0], "type": "user", "content": QUESTION},
        {
            "id": "2",
            "timestamp": TIMES[1],
            "type": "gemini",
            "content": "",
            "thoughts": [{"subject": "Plan", "description": "I look it up."}],
            "toolCalls": [call],
        },
        {"id": "3", "timestamp": TIMES[2], "type": "info", "content": "Checkpoint saved."},
        {"id": "4", "timestamp": TIMES[4], "type": "gemini", "content": ANSWER},
    ]


GEMINI_HEAD = {"sessionId": "s", "projectHash": "h", "startTime": TIMES[0], "lastUpdated": TIMES[4]}


def gemini_lines(*, fails: bool) -> bytes:
    """Return a session that wrote its second message twice: when the call began, and when it had ended."""
    asked, called, *others = gemini_cli(fails=fails)
    begun = {**called, "toolCalls": [{**called["toolCalls"][0], "status": "executing", "result": None}]}
    return lines(GEMINI_HEAD, asked, begun, called, *others, {"$set": {"lastUpdated": TIMES[4]}})


def atif(*, fails: bool) -> Record:
    call = {"tool_call_id": "call_7", "function_name": TOOL, "arguments": ARGUMENTS}
    observed = {"results": [{"source_call_id": "call_7", "content": result(fails=fails)}]}
    return {
        "schema_version": "ATIF-v1.5",
        "session_id": "s",
        "agent": {"name": "desk", "version": "2"},
        "steps": [
            {"step_id": 1, "source": "system", "message": SYSTEM, "timestamp": TIMES[0]},
            {"step_id": 2, "source": "user", "message": QUESTION, "timestamp": TIMES[0]},
            {
                "step_id": 3,
                "source": "agent",
                "message": "",
                "reasoning_content": "I look it up.",
                "tool_calls": [call],
                "observation": observed,
                "timestamp": TIMES[1],
            },
            {"step_id": 4, "source": "agent", "message": ANSWER, "timestamp": TIMES[4]},
        ],
    }


def tau_2(*, fails: bool) -> Record:
    call = {"id": "call_7", "name": TOOL, "arguments": ARGUMENTS, "requestor": "assistant"}
    told = {"role": "tool", "id": "call_7", "content": result(fails=fails), "requestor": "assistant", "error": fails}
    return {
        "id": "run-1",
        "task_id": "12",
        "termination_reason": "agent_stop",
        "messages": [
            {"role": "user", "content": QUESTION, "tool_calls": None, "turn_idx": 0},
            {"role": "assistant", "content": None, "tool_calls": [call], "turn_idx": 1},
            {**told, "turn_idx": 2},
            {"role": "assistant", "content": ANSWER, "tool_calls": None, "turn_idx": 3},
        ],
    }


def inspect(*, fails: bool) -> Record:
    call = {"id": "call_7", "function": TOOL, "arguments": ARGUMENTS, "type": "function"}
    error = {"error": {"type": "unknown", "message": FAULT}} if fails else {}
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "stores", "model": "small"},
        "samples": [
            {
                "id": 1,
                "epoch": 1,
                "input": QUESTION,
                "target": "no",
                "messages": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": QUESTION, "source": "input"},
                    {"role": "assistant", "content": "", "tool_calls": [call], "source": "generate"},
                    {
                        "role": "tool",
                        "content": result(fails=fails),
                        "tool_call_id": "call_7",
                        "function": TOOL,
                        **error,
                    },
                    {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
                ],
                "events": [],
            }
        ],
    }


def smolagents(*, fails: bool) -> list[Record]:
    def called(name: str, arguments: Record, key: str) -> list[Record]:
        return [{"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}]

    return [
        {"system_prompt": SYSTEM},
        {"task": QUESTION, "task_images": None},
        {
            "step_number": 1,
            "timing": {"start_time": START, "end_time": START + 2, "duration": 2},
            "tool_calls": called(TOOL, ARGUMENTS, "call_7"),
            "error": {"type": "AgentToolExecutionError", "message": FAULT} if fails else None,
            "model_output": "I look it up.",
            "observations": result(fails=fails),
            "action_output": None,
            "is_final_answer": False,
        },
        {
            "step_number": 2,
            "timing": {"start_time": START + 2, "end_time": START + 4, "duration": 2},
            "tool_calls": called("final_answer", {"answer": ANSWER}, "call_8"),
            "error": None,
            "model_output": "",
            "observations": ANSWER,
            "action_output": ANSWER,
            "is_final_answer": True,
        },
    ]


def gemini(*, fails: bool) -> Record:
    """Return the body of a request to Google's API."""

    def content(role: str, **part: object) -> Record:
        return {"role": role, "parts": [part]}

    response = {"error": FAULT} if fails else {"output": CLOSED}
    return {
        "systemInstruction": {"parts": [{"text": SYSTEM}]},
        "contents": [
            content("user", text=QUESTION),
            content("model", functionCall={"name": TOOL, "args": ARGUMENTS}),
            content("user", functionResponse={"name": TOOL, "response": response}),
            content("model", text=ANSWER),
        ],
    }


def gemini_log(*, fails: bool) -> bytes:
    """Return one request with its response, as batches of Google's API have them."""
    request = gemini(fails=fails)
    *asked, answered = request["contents"]
    response = {"candidates": [{"content": answered, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 9}}
    return lines({"request": {**request, "contents": asked}, "response": response})


def llama_index(*, fails: bool) -> list[Record]:
    def message(role: str, *blocks: Record, **extra: str) -> Record:
        return {"role": role, "additional_kwargs": extra, "blocks": [*blocks]}

    def text(words: str) -> Record:
        return {"block_type": "text", "text": words}

    call = {"block_type": "tool_call", "tool_call_id": "call_7", "tool_name": TOOL, "tool_kwargs": ARGUMENTS}
    return [
        message("system", text(SYSTEM)),
        message("user", text(QUESTION)),
        message("assistant", call),
        message("tool", text(result(fails=fails)), tool_call_id="call_7"),
        message("assistant", text(ANSWER)),
    ]


def langwatch(*, fails: bool) -> Record:
    said = openai(fails=fails)

    def span(number: int, kind: str, name: str, given: object, gave: object, **more: object) -> Record:
        return {
            "span_id": f"s{number}",
            "trace_id": "t",
            "parent_id": "s0" if number else None,
            "type": kind,
            "name": name,
            "input": {"type": "json", "value": given},
            "output": {"type": "json", "value": gave},
            "timestamps": {"started_at": (START + number) * 1000, "finished_at": (START + number + 1) * 1000},
            **more,
        }

    failure = {"error": {"message": FAULT}} if fails else {}
    return {
        "trace_id": "t",
        "spans": [
            span(0, "agent", "desk", QUESTION, ANSWER),
            span(1, "llm", "chat", said[:2], [said[2]]),
            span(2, "tool", TOOL, ARGUMENTS, None if fails else CLOSED, **failure),
            span(3, "llm", "chat", said[:4], [said[4]]),
        ],
    }


def calling_roles(*, fails: bool) -> list[Record]:
    """Return a conversation whose roles say which messages are calls and results."""
    system, user, _, _, answered = openai()
    call = {"role": "tool_call", "content": json.dumps({"name": TOOL, "arguments": ARGUMENTS})}
    return [system, user, call, {"role": "tool_result", "content": result(fails=fails)}, answered]


def calls_as_text(*, fails: bool) -> list[Record]:
    return [
        {**message, "tool_calls": json.dumps(message["tool_calls"])} if "tool_calls" in message else message
        for message in openai(fails=fails)
    ]


def haystack(*, fails: bool) -> list[Record]:
    call = {"tool_name": TOOL, "arguments": ARGUMENTS, "id": "call_7"}

    def message(role: str, *content: Record) -> Record:
        return {"role": role, "meta": {}, "name": None, "content": [*content]}

    return [
        message("system", {"text": SYSTEM}),
        message("user", {"text": QUESTION}),
        message("assistant", {"text": "I look it up."}, {"tool_call": call}),
        message("tool", {"tool_call_result": {"result": result(fails=fails), "origin": call, "error": fails}}),
        message("assistant", {"text": ANSWER}),
    ]


def agent_framework(*, fails: bool) -> Record:
    failed = {"exception": "LookupError"} if fails else {}
    return {
        "messages": [
            {"type": "message", "role": "system", "contents": [{"type": "text", "text": SYSTEM}]},
            {
                "type": "chat_message",
                "role": {"type": "role", "value": "user"},
                "contents": [{"type": "text", "text": QUESTION}],
            },
            {
                "type": "message",
                "role": "assistant",
                "contents": [
                    {"type": "text_reasoning", "text": "I look it up."},
                    {"type": "function_call", "call_id": "call_7", "name": TOOL, "arguments": WRITTEN},
                    {"type": "usage", "details": {}},
                ],
            },
            {
                "type": "message",
                "role": "tool",
                "contents": [{"type": "function_result", "call_id": "call_7", "result": result(fails=fails), **failed}],
            },
            {"type": "message", "role": "assistant", "contents": [{"type": "text", "text": ANSWER}]},
        ]
    }


def semantic_kernel(*, fails: bool) -> Record:
    named = {"id": "call_7", "name": f"stores-{TOOL}", "function_name": TOOL, "plugin_name": "stores"}

    def message(role: str, item: Record) -> Record:
        return {"metadata": {}, "content_type": "message", "role": role, "items": [item]}

    return {
        "messages": [
            message("system", {"content_type": "text", "text": SYSTEM}),
            message("user", {"content_type": "text", "text": QUESTION}),
            message("assistant", {"content_type": "function_call", **named, "arguments": WRITTEN}),
            message("tool", {"content_type": "function_result", **named, "result": result(fails=fails)}),
            message("assistant", {"content_type": "text", "text": ANSWER}),
        ]
    }


def semantic_kernel_net(*, fails: bool) -> list[Record]:
    def message(role: str, item: Record) -> Record:
        return {"Role": {"Label": role}, "Items": [item]}

    named = {"PluginName": "stores", "FunctionName": TOOL}
    return [
        message("system", {"$type": "TextContent", "Text": SYSTEM}),
        message("user", {"$type": "TextContent", "Text": QUESTION}),
        message("assistant", {"$type": "FunctionCallContent", "Id": "call_7", **named, "Arguments": ARGUMENTS}),
        message("tool", {"$type": "FunctionResultContent", "CallId": "call_7", **named, "Result": result(fails=fails)}),
        message("assistant", {"$type": "TextContent", "Text": ANSWER}),
    ]


def openhands(*, fails: bool) -> list[Record]:
    told = {"tool_name": TOOL, "tool_call_id": "call_7", "timestamp": TIMES[2]}
    ending = (
        {**told, "kind": "AgentErrorEvent", "source": "agent", "error": FAULT}
        if fails
        else {
            **told,
            "kind": "ObservationEvent",
            "source": "environment",
            "observation": {"content": [{"type": "text", "text": CLOSED}]},
        }
    )
    return [
        {
            "kind": "SystemPromptEvent",
            "source": "agent",
            "timestamp": TIMES[0],
            "system_prompt": {"type": "text", "text": SYSTEM},
        },
        {
            "kind": "MessageEvent",
            "source": "user",
            "timestamp": TIMES[0],
            "llm_message": {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        },
        {
            "kind": "ActionEvent",
            "source": "agent",
            "timestamp": TIMES[1],
            "thought": [{"type": "text", "text": "I look it up."}],
            "tool_name": TOOL,
            "tool_call_id": "call_7",
            "tool_call": {"id": "call_7", "name": TOOL, "arguments": WRITTEN},
        },
        ending,
        {
            "kind": "MessageEvent",
            "source": "agent",
            "timestamp": TIMES[4],
            "llm_message": {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
        },
    ]


def claude_ai(*, fails: bool) -> list[Record]:
    content = [
        {"type": "text", "text": "I look it up."},
        {"type": "tool_use", "id": "call_7", "name": TOOL, "input": ARGUMENTS},
        {
            "type": "tool_result",
            "tool_use_id": "call_7",
            "content": [{"type": "text", "text": result(fails=fails)}],
            "is_error": fails,
        },
        {"type": "text", "text": ANSWER},
    ]
    return [
        {
            "uuid": "c1",
            "name": "Sunday",
            "chat_messages": [
                {
                    "uuid": "1",
                    "sender": "human",
                    "text": QUESTION,
                    "content": [{"type": "text", "text": QUESTION}],
                    "created_at": TIMES[0],
                },
                {"uuid": "2", "sender": "assistant", "text": ANSWER, "content": content, "created_at": TIMES[4]},
            ],
        }
    ]


def chatgpt(*, fails: bool) -> list[Record]:
    def node(key: str, parent: str | None, role: str, content: Record, **more: object) -> Record:
        message = {
            "id": key,
            "author": {"role": role},
            "content": content,
            "recipient": "all",
            "create_time": START + len(key),
            **more,
        }
        return {"id": key, "parent": parent, "children": [], "message": message}

    def text(value: str) -> Record:
        return {"content_type": "text", "parts": [value]}

    code = {"content_type": "code", "language": "unknown", "text": WRITTEN}
    mapping = {
        "": {"id": "", "parent": None, "message": None, "children": ["a"]},
        "a": node("a", "", "system", text(SYSTEM)),
        "aa": node("aa", "a", "user", text(QUESTION)),
        "other": node("other", "aa", "assistant", text("An answer that was asked for again.")),
        "aaa": node("aaa", "aa", "assistant", code, recipient=TOOL),
        "aaaa": node("aaaa", "aaa", "tool", text(result(fails=fails)), author={"role": "tool", "name": TOOL}),
        "aaaaa": node("aaaaa", "aaaa", "assistant", text(ANSWER)),
    }
    return [{"id": "c1", "title": "Sunday", "mapping": mapping, "current_node": "aaaaa"}]


def anthropic(*, fails: bool) -> Record:
    return {
        "model": "small",
        "max_tokens": 100,
        "system": [{"type": "text", "text": SYSTEM}],
        "tools": [{"name": TOOL, "input_schema": {}}],
        "messages": [
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call_7", "name": TOOL, "input": ARGUMENTS}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_7", "content": result(fails=fails), "is_error": fails}
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
        ],
    }


SAMPLES: dict[str, tuple[Right, Callable[[bool], object]]] = {
    "an Anthropic request": (Right(is_error_known=True), lambda fails: anthropic(fails=fails)),
    "a chat": (Right(), lambda fails: openai(fails=fails)),
    "items of the Responses API": (Right(has_system=False), lambda fails: responses(fails=fails)),
    "a page of conversation items, the last one first": (
        Right(has_system=False),
        lambda fails: {"object": "list", "data": responses(fails=fails)[::-1], "has_more": False},
    ),
    "a graph's result": (
        Right(is_error_known=True),
        lambda fails: {"messages": langchain(fails=fails), "remaining_steps": 3},
    ),
    "a graph's stream of values": (
        Right(is_error_known=True),
        lambda fails: lines(*({"messages": state} for state in states(fails=fails))),
    ),
    "a graph's stream of several modes": (
        Right(is_error_known=True),
        lambda fails: lines(
            *(["values", {"messages": state}] for state in states(fails=fails)),
            *(["updates", update] for update in graph_updates(fails=fails)),
        ),
    ),
    "a graph server's stream of values": (
        Right(is_error_known=True),
        lambda fails: lines(
            {"event": "metadata", "data": {"run_id": "x"}},
            *({"event": "values", "data": {"messages": state}} for state in states(fails=fails)),
        ),
    ),
    "a graph's stream of updates": (
        Right(has_system=False, has_question=False, is_error_known=True),
        lambda fails: lines(*graph_updates(fails=fails)),
    ),
    "a graph's stream of messages": (
        Right(has_system=False, has_question=False, is_error_known=True),
        lambda fails: lines(*graph_chunks(fails=fails)),
    ),
    "a graph's events": (
        Right(format="langsmith", is_error_known=True),
        lambda fails: lines(*graph_events(fails=fails)),
    ),
    "a thread's state": (Right(is_error_known=True), lambda fails: snapshot(langchain(fails=fails), 5)),
    "a thread's history": (
        Right(is_error_known=True),
        lambda fails: [snapshot(state, step) for step, state in enumerate(states(fails=fails))][::-1],
    ),
    "a checkpoint": (
        Right(is_error_known=True),
        lambda fails: {"v": 4, "channel_values": {"messages": langchain(fails=fails)}},
    ),
    "OTLP": (
        Right(format="opentelemetry", is_error_known=True),
        lambda fails: {"resourceSpans": [{"scopeSpans": [{"spans": otlp(fails=fails)}]}]},
    ),
    "Tempo's batches": (
        Right(format="opentelemetry", is_error_known=True),
        lambda fails: {"batches": [{"resource": {}, "scopeSpans": [{"spans": otlp(fails=fails)}]}]},
    ),
    "Tempo's second API": (
        Right(format="opentelemetry", is_error_known=True),
        lambda fails: {"trace": {"resourceSpans": [{"scopeSpans": [{"spans": otlp(fails=fails)}]}]}},
    ),
    "Jaeger": (Right(format="opentelemetry", is_error_known=True), lambda fails: jaeger(fails=fails)),
    "Zipkin": (Right(format="opentelemetry", is_error_known=True), lambda fails: zipkin(fails=fails)),
    "a Phoenix table": (Right(format="opentelemetry", is_error_known=True), lambda fails: phoenix(fails=fails)),
    "a Phoenix table by lines": (
        Right(format="opentelemetry", is_error_known=True),
        lambda fails: lines(*phoenix(fails=fails)),
    ),
    "a Phoenix table by columns": (
        Right(format="opentelemetry", is_error_known=True),
        lambda fails: by_column(phoenix(fails=fails)),
    ),
    "a Phoenix table, split": (
        Right(format="opentelemetry", is_error_known=True),
        lambda fails: split(phoenix(fails=fails)),
    ),
    "MLflow": (Right(format="opentelemetry", is_error_known=True), lambda fails: mlflow(fails=fails)),
    "Logfire": (Right(format="opentelemetry", is_error_known=True), lambda fails: logfire(fails=fails)),
    "Opik": (
        Right(format="opik", is_error_known=True),
        lambda fails: {"trace": {"id": "o1", "name": "desk"}, "spans": opik(fails=fails)},
    ),
    "Opik's spans": (Right(format="opik", is_error_known=True), lambda fails: opik(fails=fails)),
    "Braintrust": (
        Right(format="braintrust", is_error_known=True),
        lambda fails: {"events": braintrust(fails=fails), "cursor": None},
    ),
    "Datadog": (Right(format="datadog", is_error_known=True), lambda fails: datadog(fails=fails)),
    "Weave": (Right(format="weave", is_error_known=True), lambda fails: lines(*weave(fails=fails))),
    "LangSmith runs by columns": (
        Right(format="langsmith", is_error_known=True),
        lambda fails: by_column(langsmith_rows(fails=fails)),
    ),
    "Vercel's messages, version 4": (Right(has_system=False, format="vercel-ai"), lambda fails: vercel_4(fails=fails)),
    "Vercel's messages, version 4 with parts": (
        Right(has_system=False, format="vercel-ai"),
        lambda fails: vercel_4_parts(fails=fails),
    ),
    "Vercel's messages, version 5": (
        Right(has_system=False, format="vercel-ai", is_error_known=True),
        lambda fails: vercel_5(fails=fails),
    ),
    "Pydantic AI": (Right(format="pydantic-ai", is_error_known=True), lambda fails: pydantic_ai(fails=fails)),
    "ADK events": (Right(has_system=False, format="google-adk", is_error_known=True), lambda fails: adk(fails=fails)),
    "an ADK session": (
        Right(has_system=False, format="google-adk", is_error_known=True),
        lambda fails: {"id": "s", "app_name": "desk", "state": {}, "events": adk(fails=fails, snake=True)},
    ),
    "OpenAI's Assistants": (Right(has_system=False, format="openai-assistants"), lambda fails: assistants(fails=fails)),
    "AutoGen": (Right(has_system=False, format="autogen", is_error_known=True), lambda fails: autogen(fails=fails)),
    "Gemini CLI": (
        Right(has_system=False, format="gemini-cli", is_error_known=True),
        lambda fails: {**GEMINI_HEAD, "messages": gemini_cli(fails=fails)},
    ),
    "Gemini CLI by lines": (
        Right(has_system=False, format="gemini-cli", is_error_known=True),
        lambda fails: gemini_lines(fails=fails),
    ),
    "ATIF": (Right(format="atif"), lambda fails: atif(fails=fails)),
    "tau-bench": (Right(), lambda fails: [{"task_id": 3, "reward": 0.0, "info": {}, "traj": openai(fails=fails)}]),
    "tau2-bench": (
        Right(has_system=False, is_error_known=True),
        lambda fails: {"info": {}, "tasks": [], "simulations": [tau_2(fails=fails)]},
    ),
    "one simulation of tau2-bench": (Right(has_system=False, is_error_known=True), lambda fails: tau_2(fails=fails)),
    "inspect": (Right(is_error_known=True), lambda fails: inspect(fails=fails)),
    "smolagents": (Right(format="smolagents", is_error_known=True), lambda fails: smolagents(fails=fails)),
    "Haystack": (Right(format="haystack", is_error_known=True), lambda fails: haystack(fails=fails)),
    "the Agent Framework": (Right(format="microsoft", is_error_known=True), lambda fails: agent_framework(fails=fails)),
    "Semantic Kernel": (Right(format="microsoft"), lambda fails: semantic_kernel(fails=fails)),
    "Semantic Kernel for .NET": (Right(format="microsoft"), lambda fails: semantic_kernel_net(fails=fails)),
    "OpenHands": (Right(format="openhands", is_error_known=True), lambda fails: openhands(fails=fails)),
    "Claude.ai": (
        Right(has_system=False, format="claude-ai", is_error_known=True),
        lambda fails: claude_ai(fails=fails),
    ),
    "a request to Gemini": (Right(is_error_known=True), lambda fails: gemini(fails=fails)),
    "a call of Gemini": (Right(format="message-log", is_error_known=True), lambda fails: gemini_log(fails=fails)),
    "LlamaIndex": (Right(), lambda fails: llama_index(fails=fails)),
    "LangWatch": (Right(format="langwatch", is_error_known=True), lambda fails: langwatch(fails=fails)),
    "roles that are calls and results": (Right(), lambda fails: calling_roles(fails=fails)),
    "calls that are a text of JSON": (Right(), lambda fails: calls_as_text(fails=fails)),
    "ChatGPT": (Right(format="chatgpt"), lambda fails: chatgpt(fails=fails)),
}
