"""Traces of the OpenAI Agents SDK, as its exporter writes them: a trace, and spans with ``span_data``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.otel import known_settings
from pytest_refinery.sources.formats.tally import Tally, described, tree_notes
from pytest_refinery.sources.formats.values import decoded, timestamp, token_counts
from pytest_refinery.traces.json_values import mapping
from pytest_refinery.traces.model import Run, RunKind, Trace, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Json

_SPAN, _TRACE = "trace.span", "trace"
_KINDS: dict[str, str] = {
    "generation": RunKind.LLM,
    "response": RunKind.LLM,
    "function": RunKind.TOOL,
    "handoff": RunKind.TOOL,
    "mcp_tools": RunKind.CHAIN,
    "guardrail": "guardrail",
}
_INPUTS = ("input", "from_agent", "server", "data")
_OUTPUTS = ("output", "response", "to_agent", "result")
_SETTINGS = ("model", "tools", "handoffs", "output_type")
_READ = frozenset({"type", "name", "usage", "model_config", "triggered", *_INPUTS, *_OUTPUTS, *_SETTINGS})


class AgentsSpans:
    """Collects the spans of one trace."""

    what = "spans of the OpenAI Agents SDK"

    def __init__(self, source: str) -> None:
        self._source = source
        self._spans: dict[str, Mapping[str, Any]] = {}
        self._traces: dict[str, Mapping[str, Any]] = {}
        self._fields = Tally("Fields of spans that a run has no place for, kept as its metadata")
        self._others = Tally("Records that are no spans, not read")

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is a trace or a span of the SDK."""
        if not isinstance(record, Mapping) or "id" not in record:
            return False
        is_span = record.get("object") == _SPAN and isinstance(record.get("span_data"), Mapping)
        return is_span or (record.get("object") == _TRACE and "workflow_name" in record)

    def add(self, record: object) -> bool:
        """Add a trace or a span, or something else, which is counted."""
        is_known = isinstance(record, Mapping) and self.recognises(record)
        self._others.add(1, () if is_known else [described(record)])
        if isinstance(record, Mapping) and is_known:
            home = self._spans if record["object"] == _SPAN else self._traces
            home[str(record["id"])] = record
        return is_known

    def trace(self) -> Trace:
        """Return the trace.

        Raises:
            TraceError: There is no span, or parents form a cycle.
        """
        if not self._spans:
            msg = f"{self._source}: the trace of the OpenAI Agents SDK has no spans in it; export them too."
            raise TraceError(msg)
        runs = in_order([self._run(span) for span in self._spans.values()], source=self._source)
        about = next(iter(self._traces.values()), {})
        return Trace(
            id=str(about.get("id") or next(iter(self._spans.values())).get("trace_id") or runs[0].id),
            name=str(about.get("workflow_name") or runs[0].name),
            runs=runs,
            source=self._source,
            format="openai-agents",
            notes=tuple(self._notes(runs)),
        )

    def _notes(self, runs: tuple[Run, ...]) -> Iterator[str]:
        yield from tree_notes(runs, {str(span.get("trace_id")) for span in self._spans.values()})
        kept_by_openai = sum(run.kind == RunKind.LLM and run.outputs is None for run in runs)
        if kept_by_openai:
            yield f"Model calls whose messages the SDK did not write down, but for an id: {kept_by_openai}."
        for tally in (self._fields, self._others):
            yield from tally.notes()

    def _run(self, span: Mapping[str, Any]) -> Run:
        data: Mapping[str, Any] = {key: value for key, value in span["span_data"].items() if value is not None}
        word = str(data.get("type") or "custom")
        left = {key: value for key, value in data.items() if key not in _READ}
        self._fields.add(len(data), left)
        parent = span.get("parent_id")
        return Run(
            id=str(span["id"]),
            name=_name(data, word),
            kind=_KINDS.get(word, RunKind.CHAIN),
            parent_id=str(parent) if parent else None,
            inputs=_instructed(_value(data, _INPUTS), data.get("response")),
            outputs={"triggered": data["triggered"]} if "triggered" in data else _value(data, _OUTPUTS),
            error=_error(span.get("error")),
            is_pending=not span.get("ended_at"),
            started_at=timestamp(span.get("started_at")),
            ended_at=timestamp(span.get("ended_at")),
            metadata=left,
            settings=_settings(data),
            usage=_usage(data),
        )


def _name(data: Mapping[str, Any], word: str) -> str:
    if word == "handoff":
        return f"handoff to {data.get('to_agent') or 'no one'}"
    return str(data.get("name") or word)


def _value(data: Mapping[str, Any], keys: tuple[str, ...]) -> Json:
    return next((decoded(data[key]) for key in keys if data.get(key) is not None), None)


def _instructed(inputs: Json, response: Json) -> Json:
    """Return the input of a response, with the instructions that only the response repeats."""
    said = response.get("instructions") if isinstance(response, dict) else None
    if not isinstance(said, str) or not said:
        return inputs
    asked: list[Json] = inputs if isinstance(inputs, list) else [{"role": "user", "content": inputs}] if inputs else []
    return [{"role": "system", "content": said}, *asked]


def _settings(data: Mapping[str, Any]) -> dict[str, object]:
    response = data.get("response")
    asked = {**(response if isinstance(response, Mapping) else {}), **mapping(data.get("model_config")), **data}
    stated = {key: asked[key] for key in _SETTINGS if asked.get(key)}
    return {**stated, **known_settings(asked)}


def _usage(data: Mapping[str, Any]) -> dict[str, int]:
    usage = mapping(data.get("usage")) or mapping(mapping(data.get("response")).get("usage"))
    return token_counts(usage)


def _error(error: Json) -> str | None:
    if not error:
        return None
    if not isinstance(error, Mapping):
        return str(error)
    said, data = str(error.get("message") or "The span has failed."), error.get("data")
    return f"{said} {data}" if data else said
