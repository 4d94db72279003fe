from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_refinery.sources.formats.otel import contents as span_contents
from pytest_refinery.sources.formats.otel.attributes import Attributes
from pytest_refinery.sources.formats.otel.records import Event
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import Message, ToolCall

Values = dict[str, Any]

ARGUMENTS = {"account": "A-1"}
SYSTEM = Message("system", "You are a desk.")
QUESTION = Message("user", "How much?")
CALL = Message("assistant", "", tool_calls=(ToolCall("get_cash", ARGUMENTS, "call-1"),))
ANSWER = Message("assistant", "1,204.50 USD")

CHAT = [{"role": "system", "content": SYSTEM.text}, {"role": "user", "content": QUESTION.text}]
OPENAI_CALL = {"id": "call-1", "type": "function", "function": {"name": "get_cash", "arguments": json.dumps(ARGUMENTS)}}
PARTS = [
    {"role": "system", "parts": [{"type": "text", "content": SYSTEM.text}]},
    {"role": "user", "parts": [{"type": "text", "content": QUESTION.text}]},
]
CALL_PARTS = [{"type": "tool_call", "id": "call-1", "name": "get_cash", "arguments": ARGUMENTS}]
# Each framework's way to write one model call: told as a desk how much, it calls get_cash.
MODEL_CALLS: dict[str, Values] = {
    "GenAI conventions": {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps(PARTS),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": CALL_PARTS}]),
    },
    "GenAI conventions with instructions apart": {
        "gen_ai.operation.name": "chat",
        "gen_ai.system_instructions": json.dumps(PARTS[0]["parts"]),
        "gen_ai.input.messages": PARTS[1:],
        "gen_ai.output.messages": [{"role": "assistant", "parts": CALL_PARTS}],
    },
    "OpenInference": {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": SYSTEM.text,
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.contents.0.message_content.type": "text",
        "llm.input_messages.1.message.contents.0.message_content.text": QUESTION.text,
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call-1",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "get_cash",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": json.dumps(ARGUMENTS),
        "input.value": json.dumps({"messages": ["ChatMessage(role='system')"]}),
        "output.value": "ModelResponse(id='x')",
    },
    "Traceloop": {
        "traceloop.span.kind": "llm",
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": SYSTEM.text,
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": json.dumps([{"type": "text", "text": QUESTION.text}]),
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.tool_calls.0.id": "call-1",
        "gen_ai.completion.0.tool_calls.0.name": "get_cash",
        "gen_ai.completion.0.tool_calls.0.arguments": json.dumps(ARGUMENTS),
    },
    "the Vercel AI SDK": {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.prompt.messages": json.dumps(CHAT),
        "ai.response.toolCalls": json.dumps(
            [{"toolCallId": "call-1", "toolName": "get_cash", "args": json.dumps(ARGUMENTS)}]
        ),
    },
    "Google ADK": {
        "gen_ai.request.model": "small",
        "gen_ai.usage.input_tokens": 3,
        "gcp.vertex.agent.llm_request": json.dumps(
            {
                "config": {"system_instruction": SYSTEM.text},
                "contents": [{"role": "user", "parts": [{"text": QUESTION.text}]}],
            }
        ),
        "gcp.vertex.agent.llm_response": json.dumps(
            {
                "content": {
                    "role": "model",
                    "parts": [{"function_call": {"id": "call-1", "name": "get_cash", "args": ARGUMENTS}}],
                }
            }
        ),
    },
    "Pydantic AI's events": {
        "gen_ai.operation.name": "chat",
        "events": json.dumps(
            [
                {**CHAT[0], "event.name": "gen_ai.system.message"},
                {**CHAT[1], "event.name": "gen_ai.user.message"},
                {
                    "event.name": "gen_ai.choice",
                    "index": 0,
                    "message": {"role": "assistant", "tool_calls": [OPENAI_CALL]},
                },
            ]
        ),
    },
    "raw values": {
        "openinference.span.kind": "LLM",
        "input.value": json.dumps({"messages": CHAT}),
        "output.value": json.dumps({"choices": [{"message": {"role": "assistant", "tool_calls": [OPENAI_CALL]}}]}),
    },
    "MLflow": {
        "mlflow.spanType": "CHAT_MODEL",
        "mlflow.spanInputs": json.dumps({"messages": CHAT}),
        "mlflow.spanOutputs": json.dumps(
            {"choices": [{"message": {"role": "assistant", "tool_calls": [OPENAI_CALL]}}]}
        ),
    },
}


def read(attributes: Values, *events: Event) -> tuple[span_contents.Contents, Values]:
    wrapped = Attributes(attributes)
    return span_contents.read(wrapped, events), wrapped.left


@pytest.mark.parametrize("framework", MODEL_CALLS)
def test_every_framework_gives_the_same_model_call(framework: str) -> None:
    contents, left = read(MODEL_CALLS[framework])
    assert contents.kind == "llm"
    assert messages.read(contents.inputs).messages == (SYSTEM, QUESTION)
    assert messages.read(contents.outputs).messages == (CALL,)
    assert left == {}


def test_messages_may_stand_on_events() -> None:
    events = (
        Event("gen_ai.system.message", {"content": SYSTEM.text}),
        Event("gen_ai.user.message", {"content": json.dumps([{"text": QUESTION.text}])}),
        Event("gen_ai.choice", {"message": json.dumps([{"text": ANSWER.text}]), "finish_reason": "end_turn"}),
    )
    contents, _ = read({"gen_ai.operation.name": "chat"}, *events)
    assert messages.read(contents.inputs).messages == (SYSTEM, QUESTION)
    assert messages.read(contents.outputs).messages == (ANSWER,)


def test_an_event_may_hold_its_message_as_one_text_of_json() -> None:
    events = (
        Event("gen_ai.user.message", {"gen_ai.event.content": json.dumps({"content": QUESTION.text})}),
        Event("gen_ai.tool.message", {"id": "call-1", "content": "1,204.50"}),
        Event("gen_ai.choice", {"gen_ai.event.content": json.dumps({"message": {"tool_calls": [OPENAI_CALL]}})}),
    )
    contents, _ = read({"gen_ai.operation.name": "chat"}, *events)
    assert messages.read(contents.inputs).messages == (QUESTION, Message("tool", "1,204.50", tool_call_id="call-1"))
    assert messages.read(contents.outputs).messages == (CALL,)


def test_the_calls_that_any_agent_writes_as_output_are_calls() -> None:
    output = json.dumps([{"tool.name": "get_cash", "tool.args": json.dumps(ARGUMENTS)}])
    contents, _ = read({"gen_ai.operation.name": "call_llm", "gen_ai.output": output})
    assert messages.read(contents.outputs).messages[0].tool_calls == (ToolCall("get_cash", ARGUMENTS),)


def test_the_thought_that_bee_ai_notes_is_the_agents() -> None:
    noted = {"openinference.span.kind": "AGENT", "thought": "Look it up.", "tool.name": "get_cash"}
    contents, left = read({**noted, "tool.parameters": json.dumps(ARGUMENTS)})
    (message,) = messages.read(contents.outputs).messages
    assert (message.thinking, message.tool_calls) == ("Look it up.", (ToolCall("get_cash", ARGUMENTS),))
    assert left == {}


def test_the_pieces_at_the_end_of_a_stream_are_one_message() -> None:
    pieces = {7: "1,20", 8: "4.50", 9: " USD"}
    contents, _ = read(
        {
            "openinference.span.kind": "LLM",
            **{f"llm.output_messages.{number}.message.content": text for number, text in pieces.items()},
        }
    )
    assert messages.read(contents.outputs).messages == (ANSWER,)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({}, "chain"),
        ({"openinference.span.kind": "AGENT"}, "chain"),
        ({"openinference.span.kind": "RETRIEVER"}, "retriever"),
        ({"openinference.span.kind": "GUARDRAIL"}, "guardrail"),
        ({"gen_ai.operation.name": "invoke_agent"}, "chain"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"openinference.span.kind": "TOOL", "gen_ai.operation.name": "chat"}, "tool"),
        ({"llm.request.type": "chat"}, "llm"),
        ({"gen_ai.tool.name": "get_cash"}, "tool"),
        ({"gen_ai.request.model": "small"}, "chain"),
        ({"gen_ai.request.model": "small", "gen_ai.usage.input_tokens": 3}, "llm"),
    ],
)
def test_attributes_tell_the_kind(attributes: Values, kind: str) -> None:
    assert read(attributes)[0].kind == kind


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.tool.call.arguments": json.dumps(ARGUMENTS), "gen_ai.tool.call.result": "1,204.50"},
        {"gen_ai.tool.args": json.dumps(ARGUMENTS), "gen_ai.output": "1,204.50"},
        {"input.value": json.dumps(ARGUMENTS), "output.value": "1,204.50", "tool.parameters": json.dumps({"x": 1})},
        {"tool.parameters": json.dumps(ARGUMENTS), "output.value": "1,204.50"},
        {"tool_arguments": ARGUMENTS, "tool_response": json.dumps("1,204.50")},
        {"gcp.vertex.agent.tool_call_args": json.dumps(ARGUMENTS), "gcp.vertex.agent.tool_response": "1,204.50"},
        {"ai.toolCall.args": json.dumps(ARGUMENTS), "ai.toolCall.result": json.dumps("1,204.50")},
        {"traceloop.entity.input": json.dumps(ARGUMENTS), "traceloop.entity.output": "1,204.50"},
    ],
)
def test_every_framework_gives_the_same_tool_run(attributes: Values) -> None:
    named = {"openinference.span.kind": "TOOL", "tool.name": "get_cash", **attributes}
    contents, left = read(named)
    assert (contents.name, contents.inputs, contents.outputs) == ("get_cash", ARGUMENTS, "1,204.50")
    assert left == {}
    contents, _ = read({**named, "gen_ai.tool.call.id": "call-1"})
    assert messages.read(contents.outputs).messages == (Message("tool", "1,204.50", "get_cash", tool_call_id="call-1"),)


def test_a_tools_arguments_and_result_may_stand_on_events() -> None:
    events = (
        Event("gen_ai.tool.message", {"role": "tool", "content": json.dumps(ARGUMENTS), "id": "call-1"}),
        Event("gen_ai.choice", {"message": json.dumps([{"text": "1,204.50"}]), "id": "call-1"}),
    )
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_cash", "gen_ai.tool.call.id": "call-1"}
    contents, _ = read(named, *events)
    assert contents.inputs == ARGUMENTS
    assert messages.read(contents.outputs).messages == (Message("tool", "1,204.50", "get_cash", tool_call_id="call-1"),)


def test_settings_and_usage_are_read() -> None:
    contents, left = read(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "small",
            "llm.invocation_parameters": json.dumps({"temperature": 0.5, "instructions": "...", "top_p": None}),
            "llm.tools.0.tool.json_schema": json.dumps({"type": "function", "name": "get_cash"}),
            "llm.token_count.prompt": 40,
            "llm.token_count.completion": "7",
            "llm.token_count.total": 47,
            "llm.token_count.prompt_details.cache_read": 2,
        }
    )
    assert contents.settings == {
        "model": "small",
        "temperature": 0.5,
        "tools": [{"type": "function", "name": "get_cash"}],
    }
    assert contents.usage == {"input_tokens": 40, "output_tokens": 7, "total_tokens": 47}
    assert left == {"llm.token_count.prompt_details.cache_read": 2}


def test_pydantic_ais_tools_have_their_parameters() -> None:
    offered = {"function_tools": [{"name": "get_cash", "parameters_json_schema": {"type": "object"}}]}
    contents, _ = read({"gen_ai.operation.name": "chat", "model_request_parameters": json.dumps(offered)})
    assert contents.settings == {"tools": [{"name": "get_cash", "parameters": {"type": "object"}}]}


def test_googles_tools_stand_in_the_request() -> None:
    request = {"config": {"tools": [{"function_declarations": [{"name": "get_cash"}]}]}}
    contents, _ = read({"gen_ai.operation.name": "chat", "gcp.vertex.agent.llm_request": json.dumps(request)})
    assert contents.settings == {"tools": [{"name": "get_cash"}]}


def test_why_a_model_stopped_is_kept_where_only_an_attribute_says_it() -> None:
    said = {"gen_ai.operation.name": "chat", "gen_ai.completion": "1,204", "gen_ai.response.finish_reasons": ["length"]}
    contents, _ = read(said)
    assert contents.outputs == {"messages": [{"role": "assistant", "content": "1,204"}], "finish_reason": "length"}


def test_what_stands_beside_an_agents_messages_is_kept_where_it_says_more() -> None:
    told = {"gen_ai.input.messages": json.dumps(PARTS), "input.value": QUESTION.text}
    assert read(told)[0].inputs == PARTS
    contents, _ = read({**told, "input.value": "Client 7 asks."})
    assert contents.inputs == {"messages": PARTS, "input": "Client 7 asks."}


def test_raw_values_are_read_where_messages_were_kept_out() -> None:
    hidden = {"openinference.span.kind": "LLM", "llm.output_messages.0.message.role": "assistant"}
    contents, _ = read({**hidden, "output.value": ANSWER.text})
    assert messages.answer_text(contents.outputs) == ANSWER.text


def test_a_whole_conversation_is_divided_where_the_agent_begins_to_speak() -> None:
    whole = [*PARTS, {"role": "assistant", "parts": [{"type": "text", "content": ANSWER.text}]}]
    contents, _ = read({"gen_ai.operation.name": "invoke_agent", "pydantic_ai.all_messages": json.dumps(whole)})
    assert (contents.inputs, contents.outputs) == (PARTS, whole[2:])


def test_the_documents_of_a_retriever_are_its_outputs() -> None:
    contents, left = read(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "cash",
            "retrieval.documents.0.document.content": "Cash is king.",
            "retrieval.documents.1.document.content": "Or not.",
        }
    )
    assert contents.outputs == [{"content": "Cash is king."}, {"content": "Or not."}]
    assert left == {}
