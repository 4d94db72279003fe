"""Where each tool that records spans puts what a span is.

To add a tool: a row of ``SHAPES``. Names are Python's (``spanId`` is ``span_id``), paths those of ``paths``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_refinery.sources.formats.paths import at

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Shape:
    """One tool's spans.

    Attributes:
        format: What reports call the format.
        marks: What a record must have to be such a span.
        words: What must be one of these words.
        attributes: Where the attributes stand.
        extra: Attributes that the record has as fields of its own, by their names in the conventions.
    """

    format: str
    marks: tuple[str, ...]
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    id: str = "span_id|context.span_id"
    trace_id: str = "trace_id|context.trace_id"
    parent: str = "parent_span_id|parent_id|parent.span_id"
    name: str = "name|span_name"
    start: str = "start_time_unix_nano|start_time|start_timestamp"
    end: str = "end_time_unix_nano|end_time|end_timestamp"
    duration: str = "duration"
    code: str = "status.code|status.status_code|status_code|otel_status_code"
    message: str = "status.message|status.description|status_message|otel_status_message"
    error: str = ""
    attributes: str = "attributes"
    events: str = "events|span_events|otel_events"
    extra: Mapping[str, str] = field(default_factory=dict)

    def fits(self, named: Mapping[str, Any]) -> bool:
        """Tell whether a record with Python's names is a span of this tool."""
        return all(at(named, mark) is not None for mark in self.marks) and all(
            str(at(named, path)).lower() in words for path, words in self.words.items()
        )


def _contents(kind: str, inputs: str, outputs: str, model: str = "model", usage: str = "usage") -> dict[str, str]:
    return {
        "openinference.span.kind": kind,
        "input.value": inputs,
        "output.value": outputs,
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": f"{usage}.prompt_tokens|{usage}.input_tokens",
        "gen_ai.usage.output_tokens": f"{usage}.completion_tokens|{usage}.output_tokens",
    }


SHAPES: tuple[Shape, ...] = (
    Shape(
        format="braintrust",
        marks=("span_id", "root_span_id", "span_attributes"),
        parent="span_parents.0",
        name="span_attributes.name",
        start="metrics.start|created",
        end="metrics.end",
        code="",
        error="error",
        attributes="",
        extra=_contents("span_attributes.type", "input", "output", "metadata.model", "metrics"),
    ),
    Shape(
        format="datadog",
        marks=("span_id", "start_ns", "meta.kind|meta.span.kind|span_kind"),
        start="start_ns",
        code="status",
        message="meta.error.message|meta.error.type|error.message",
        attributes="",
        extra=_contents(
            "meta.kind|meta.span.kind|span_kind",
            "meta.input.messages|meta.input.value|input.messages|input.value",
            "meta.output.messages|meta.output.value|output.messages|output.value",
            "meta.model_name|meta.metadata.model_name|model_name",
            "metrics",
        ),
    ),
    Shape(
        format="weave",
        marks=("id", "trace_id", "op_name", "started_at|inputs"),
        id="id",
        parent="parent_id",
        name="display_name|op_name",
        start="started_at",
        end="ended_at",
        code="",
        error="exception",
        attributes="",
        extra=_contents("attributes.weave.kind|attributes.kind|kind", "inputs", "output", "inputs.model"),
    ),
    Shape(
        format="opik",
        marks=("id", "trace_id", "start_time"),
        words={"type": frozenset({"general", "llm", "tool", "guardrail"})},
        id="id",
        parent="parent_span_id",
        code="",
        error="error_info",
        attributes="",
        extra=_contents("type", "input", "output"),
    ),
    Shape(
        format="langwatch",
        marks=("span_id", "timestamps.started_at"),
        start="timestamps.started_at",
        end="timestamps.finished_at",
        code="",
        error="error",
        attributes="params",
        extra=_contents("type", "input.value", "output.value", usage="metrics"),
    ),
    Shape(
        format="opentelemetry",  # Jaeger
        marks=("span_id", "operation_name"),
        name="operation_name",
        parent="references.0.span_id|parent_span_id",
        attributes="tags",
        events="logs",
    ),
    Shape(
        format="opentelemetry",  # Zipkin
        marks=("trace_id", "id", "timestamp", "local_endpoint|tags|duration"),
        id="id",
        parent="parent_id",
        start="timestamp",
        attributes="tags",
        events="annotations",
    ),
    Shape(
        format="opentelemetry",
        marks=("span_id|context.span_id", "attributes|name|span_name"),
        extra={"openinference.span.kind": "span_kind"},
    ),
)


def shape_of(named: Mapping[str, Any]) -> Shape | None:
    """Return whose span a record with Python's names is, ``None`` where it is no one's."""
    return next((shape for shape in SHAPES if shape.fits(named)), None)
