"""What a span's attributes say, in the words of a run.

Read are OpenTelemetry's GenAI conventions (today's, and the earlier ones with span events or numbered
attributes), OpenInference, and what single frameworks write instead: Google ADK, Pydantic AI, any-agent,
Traceloop, the Vercel AI SDK, MLflow, Langfuse and LangSmith. The tables are the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pytest_refinery.sources.formats.otel import messages as message_attributes
from pytest_refinery.sources.formats.otel import model_call
from pytest_refinery.sources.formats.values import decoded
from pytest_refinery.traces import messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from pytest_refinery.sources.formats.otel.attributes import Attributes
    from pytest_refinery.sources.formats.otel.records import Event
    from pytest_refinery.traces.model import Json

# Which attribute tells the kind; the first that is there decides.
_KIND_NAMES = (
    "openinference.span.kind",
    "gen_ai.operation.name",
    "langsmith.span.kind",
    "langfuse.observation.type",
    "mlflow.spanType",
    "traceloop.span.kind",
    "llm.request.type",
    "ai.operationId",
)
_KINDS: dict[str, str] = {
    **dict.fromkeys(("llm", "chat", "chat_model", "completion", "text_completion", "generation"), RunKind.LLM),
    **dict.fromkeys(("generate_content", "call_llm", "ai.generatetext.dogenerate"), RunKind.LLM),
    **dict.fromkeys(("ai.generateobject.dogenerate", "ai.streamtext.dostream"), RunKind.LLM),
    **dict.fromkeys(("ai.streamobject.dostream", "responses"), RunKind.LLM),
    **dict.fromkeys(("tool", "execute_tool", "ai.toolcall", "function"), RunKind.TOOL),
    **dict.fromkeys(("retriever", "retrieval"), RunKind.RETRIEVER),
    **dict.fromkeys(("embedding", "embeddings"), RunKind.EMBEDDING),
    **{word: word for word in (RunKind.PROMPT, RunKind.PARSER, "reranker", "guardrail", "evaluator")},
}
_TOOL_NAMES = ("gen_ai.tool.name", "tool.name", "ai.toolCall.name")
_CALL_IDS = ("gen_ai.tool.call.id", "tool.id", "tool_call.id", "ai.toolCall.id")
_ARGUMENTS = (
    *("gen_ai.tool.call.arguments", "gen_ai.tool.args", "ai.toolCall.args", "tool_arguments"),
    "gcp.vertex.agent.tool_call_args",
)
_RESULTS = ("gen_ai.tool.call.result", "ai.toolCall.result", "tool_response", "gcp.vertex.agent.tool_response")
_RAW_INPUTS = ("input.value", "langfuse.observation.input", "traceloop.entity.input", "mlflow.spanInputs", "ai.prompt")
_RAW_OUTPUTS = (
    *("output.value", "langfuse.observation.output", "traceloop.entity.output", "mlflow.spanOutputs"),
    *("final_result", "gen_ai.output", "ai.response.object"),
)
_DOCUMENTS = ("retrieval.documents", "reranker.output_documents")
# Types of values, and words for a viewer: what they say, something else that is taken says too.
_SAID_ELSEWHERE = (
    *("input.mime_type", "output.mime_type", "gen_ai.output.type", "gen_ai.tool.type", "logfire.json_schema"),
    *("logfire.msg", "agent_name"),
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a run has of a span's attributes; ``name`` where they know it better than the span."""

    kind: str
    name: str | None = None
    inputs: object = None
    outputs: object = None
    settings: dict[str, object] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)


def read(attributes: Attributes, events: tuple[Event, ...] = (), *, kind: str | None = None) -> Contents:
    """Return what ``attributes`` and the messages among ``events`` say.

    What has no place in a run is left in ``attributes``. ``kind`` is that of the run, where it is known already.
    """
    stated = _kind(attributes)
    kind = kind or stated
    contents = _tool(attributes, events) if kind == RunKind.TOOL else _step(attributes, events, kind)
    attributes.discard(_SAID_ELSEWHERE)
    return contents


def _kind(attributes: Attributes) -> str:
    words = [word for name in _KIND_NAMES if (word := attributes.value(name))]
    if words:
        return _KINDS.get(str(words[0]).lower(), RunKind.CHAIN)
    if any(name in attributes.left for name in _TOOL_NAMES):
        return RunKind.TOOL
    # Older instrumentation says no kind: who counts tokens of a named model has called it.
    has_called = any(name.startswith(("gen_ai.usage.", "llm.token_count.")) for name in attributes.left)
    has_called = has_called or _is_request(attributes)
    return RunKind.LLM if has_called and "gen_ai.request.model" in attributes.left else RunKind.CHAIN


def _is_request(attributes: Attributes) -> bool:
    """Tell whether a span was given a request to a model and gave what a model's service answers."""
    asked, answered = (decoded(attributes.left.get(name)) for name in ("input.value", "output.value"))
    return (
        isinstance(asked, Mapping)
        and isinstance(answered, Mapping)
        and not {"messages", "contents", "input"}.isdisjoint(asked)
        and not {"choices", "candidates", "stop_reason", "object"}.isdisjoint(answered)
    )


def _tool(attributes: Attributes, events: tuple[Event, ...]) -> Contents:
    name, call_id = attributes.text(*_TOOL_NAMES), attributes.text(*_CALL_IDS)
    # OpenInference's tool.parameters is the schema of a tool for some, for others what it was called with.
    arguments = attributes.value(*_ARGUMENTS, *_RAW_INPUTS, "tool.parameters")
    result = attributes.take(*_RESULTS, *_RAW_OUTPUTS)
    told, said = message_attributes.input_and_output(attributes, events)
    return Contents(
        kind=RunKind.TOOL,
        name=name,
        inputs=_content(told) if arguments is None else arguments,
        outputs=_given(_content(said) if result is None else result, name=name, call_id=call_id),
    )


def _content(spoken: list[Json]) -> Json:
    """Return what the last message holds: some write on events what a tool got and gave."""
    last = spoken[-1] if spoken else None
    return last.get("content") if isinstance(last, dict) else last


def _given(result: Json, *, name: str | None, call_id: str | None) -> Json:
    """Return what a tool gave: where the call is known, as the message that answers it."""
    value = decoded(result)
    if result is None or call_id is None:
        return value
    content = value if isinstance(value, str) else result
    return {"role": "tool", "name": name, "tool_call_id": call_id, "content": content}


def _step(attributes: Attributes, events: tuple[Event, ...], kind: str) -> Contents:
    is_llm = kind == RunKind.LLM
    settings, usage = model_call.settings(attributes), model_call.usage(attributes)
    told, said = message_attributes.input_and_output(attributes, events)
    found = attributes.value(*_RAW_OUTPUTS) or [item for name in _DOCUMENTS for item in _documents(attributes, name)]
    ending = attributes.value("gen_ai.response.finish_reasons", "ai.response.finishReason")
    return Contents(
        kind=kind,
        inputs=_together(told, attributes.value(*_RAW_INPUTS), "input", is_llm=is_llm),
        outputs=_ended(_together(said, found or None, "output", is_llm=is_llm, heard=_sayings(told)), ending),
        settings=settings,
        usage=usage,
    )


def _documents(attributes: Attributes, name: str) -> Iterator[Json]:
    found = attributes.family(name)
    for item in found if isinstance(found, list) else []:
        yield item.get("document", item) if isinstance(item, dict) else item


def _together(spoken: list[Json], raw: Json, key: str, *, is_llm: bool, heard: AbstractSet[str] = frozenset()) -> Json:
    """Return messages, and what was recorded beside them where it says more.

    A model's raw request or response is by convention what its messages were made of; ``heard`` is known anyway.
    """
    if not spoken:
        return raw
    known, more = _sayings(spoken), _sayings(raw)
    if raw is None or (is_llm and known) or more <= known | heard:
        return spoken
    return raw if known <= more else {"messages": spoken, key: raw}


def _sayings(value: Json) -> set[str]:
    """Return what the messages in a value say; where there are none, its texts."""
    found = messages.read(value).messages
    said = [text for message in found for text in (message.text, message.thinking)]
    called = [f"{call.name} {call.arguments}" for message in found for call in message.tool_calls]
    return {" ".join(text.split()) for text in ([*said, *called] if found else _texts(value)) if text}


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    members: Iterable[Json] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        yield from _texts(member)


def _ended(outputs: Json, ending: Json) -> Json:
    """Return a model's outputs with why it stopped, where only an attribute says so."""
    reason = ending[0] if isinstance(ending, list) and ending else ending
    if not isinstance(reason, str) or isinstance(outputs, Mapping):
        return outputs
    has_said = isinstance(outputs, list) and any(isinstance(item, dict) and "finish_reason" in item for item in outputs)
    return outputs if has_said or outputs is None else cast("Json", {"messages": outputs, "finish_reason": reason})
