"""How a model was called, and what that used, out of a span's attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_refinery.sources.formats.values import decoded, token_counts
from pytest_refinery.traces import json_values
from pytest_refinery.traces.json_values import items

if TYPE_CHECKING:
    from pytest_refinery.sources.formats.otel.attributes import Attributes
    from pytest_refinery.traces.model import Json

_MODELS = (
    *("gen_ai.request.model", "llm.model_name", "ai.model.id", "model_name", "langfuse.observation.model.name"),
    "gen_ai.response.model",
)
_PARAMETERS = ("llm.invocation_parameters", "langfuse.observation.model.parameters")
_PREFIXES = ("gen_ai.request.", "ai.settings.")
# OpenInference's parameters may be the whole request, with the messages that stand elsewhere.
_SETTINGS = frozenset(
    {"temperature", "top_p", "top_k", "n", "seed", "stop", "stop_sequences", "max_tokens", "max_completion_tokens"}
    | {"max_output_tokens", "frequency_penalty", "presence_penalty", "response_format", "tool_choice", "reasoning"}
    | {"reasoning_effort", "parallel_tool_calls", "service_tier", "thinking", "truncation", "verbosity"}
)
_USAGE = {
    "input_tokens": (
        *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
        *("ai.usage.promptTokens", "ai.usage.inputTokens", "llm.usage.prompt_tokens"),
        "gen_ai.aggregated_usage.input_tokens",
    ),
    "output_tokens": (
        *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
        *("ai.usage.completionTokens", "ai.usage.outputTokens", "llm.usage.completion_tokens"),
        "gen_ai.aggregated_usage.output_tokens",
    ),
    "total_tokens": (
        *("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens", "ai.usage.totalTokens"),
    ),
}


def usage(attributes: Attributes) -> dict[str, int]:
    """Take the token counts."""
    return token_counts({name: attributes.value(*names) for name, names in _USAGE.items()})


def settings(attributes: Attributes) -> dict[str, object]:
    """Take model, parameters and tools."""
    model = attributes.value(*_MODELS)
    stated = [known_settings(attributes.value(name)) for name in _PARAMETERS]
    asked = [attributes.with_prefix(prefix) for prefix in _PREFIXES]
    found: dict[str, Json] = {"model": model, "tools": _tools(attributes) or None}
    for parameters in (*stated, *asked):
        found.update(parameters)
    return {name: _plain(value) for name, value in found.items() if value not in (None, {}, "{}", [])}


def _plain(value: Json) -> Json:
    """Return a number or a truth value that was written as text."""
    inner = json_values.parsed(value) if isinstance(value, str) else None
    return inner if isinstance(inner, int | float) else value


def known_settings(parameters: Json) -> dict[str, Json]:
    """Return those of a model's parameters that say how it answers."""
    given = parameters if isinstance(parameters, dict) else {}
    return {name: value for name, value in given.items() if name in _SETTINGS and value is not None}


def _tools(attributes: Attributes) -> list[Json]:
    """Take the tools that a model could call; the first list that is there."""
    lists = (
        attributes.value("gen_ai.tool.definitions"),
        attributes.family("llm.tools"),
        attributes.value("llm.tools"),
        attributes.value("ai.prompt.tools"),
        attributes.family("llm.request.functions"),
        _declared(attributes.value("model_request_parameters")),
        _declared_to_google(decoded(attributes.left.get("gcp.vertex.agent.llm_request"))),
    )
    found = next((tools for tools in lists if tools), None)
    return [_schema(decoded(tool)) for tool in found] if isinstance(found, list) else []


def _declared(parameters: Json) -> Json:
    """Return the tools in Pydantic AI's parameters of a request."""
    given = parameters if isinstance(parameters, dict) else {}
    return [tool for key in ("function_tools", "output_tools") for tool in items(given.get(key))]


def _declared_to_google(request: Json) -> Json:
    """Return the tools in the request that Google's ADK records, whose messages are left to others."""
    config = request.get("config") if isinstance(request, dict) else None
    offered = items(config.get("tools")) if isinstance(config, dict) else ()
    return [tool for each in offered if isinstance(each, dict) for tool in items(each.get("function_declarations"))]


def _schema(tool: Json) -> Json:
    if not isinstance(tool, Mapping):
        return tool
    inner = tool.get("tool")
    if isinstance(inner, Mapping):
        return decoded(inner.get("json_schema", dict(inner)))
    named: dict[str, Any] = {name.removeprefix("tool."): value for name, value in tool.items()}
    if "parameters_json_schema" in named:
        named["parameters"] = named.pop("parameters_json_schema")
    return named
