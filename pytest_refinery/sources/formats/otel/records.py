"""OpenTelemetry spans, in each JSON that they are written as, as spans of one shape.

OTLP JSON (``resourceSpans``, also of older and of Python's own making), what the SDK's ``span.to_json()``
gives, and the dumps that frameworks make of finished spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.otel.shapes import Shape, shape_of
from pytest_refinery.sources.formats.paths import at
from pytest_refinery.sources.formats.values import timestamp
from pytest_refinery.traces.json_values import items, mapping

if TYPE_CHECKING:
    from datetime import datetime

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_RESOURCES = ("resource_spans", "resource_logs", "batches")
_SCOPES = ("scope_spans", "instrumentation_library_spans", "scope_logs", "instrumentation_library_logs")
_RECORDS = ("spans", "log_records", "logs")
# As protobuf's JSON and as Python names them.
_EXPORTS = frozenset(
    {*_RESOURCES, *_SCOPES, "resourceSpans", "resourceLogs", "scopeSpans", "scopeLogs"}
    | {"instrumentationLibrarySpans", "instrumentationLibraryLogs"}
)
# OTLP's number, its name, the SDK's name.
_FAILED = frozenset({"2", "status_code_error", "statuscode.error", "error"})
_SUCCEEDED = frozenset({"1", "status_code_ok", "statuscode.ok", "ok"})
_UNSET = frozenset({"", "0", "status_code_unset", "statuscode.unset", "unset", "none", "null"})
_COLUMNS = ("context.", "attributes.")
_ERROR_WORDS = ("message", "exception_type", "type", "traceback")
_VALUES = ("string_value", "int_value", "double_value", "bool_value", "bytes_value")


@dataclass(frozen=True, slots=True)
class Event:
    """What a span noted at one moment: an exception, a message."""

    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span.

    Attributes:
        id: As the record has it.
        has_failed: What its status says, ``None`` where that is nothing.
        status: The text of its status.
        links: How many links to other spans it has.
        code: The code of its status where that is not known.
    """

    id: str
    name: str
    trace_id: str = ""
    parent_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    has_failed: bool | None = None
    status: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    scope: str = ""
    links: int = 0
    format: str = "opentelemetry"
    code: str = ""


def is_span(value: object) -> bool:
    """Tell whether a JSON value is one span, in any of the forms."""
    return isinstance(value, Mapping) and shape_of(_named(value)) is not None


def is_export(value: object) -> bool:
    """Tell whether a JSON value is an OTLP export, or one resource of it."""
    if not isinstance(value, Mapping):
        return False
    inner = value.get("trace")
    found = inner if isinstance(inner, Mapping) else value
    return any(isinstance(item, list) and key in _EXPORTS for key, item in found.items())


def spans_in(export: Mapping[str, Any]) -> Iterator[tuple[Span | Event, str]]:
    """Yield the spans of an OTLP export, and its log records as events; each with the id of its span."""
    named = _named(export["trace"] if isinstance(export.get("trace"), Mapping) else export)
    for resource in _listed(named, _RESOURCES):
        yield from spans_in(resource)
    for scope in _listed(named, _SCOPES):
        name = mapping(scope.get("scope") or scope.get("instrumentationLibrary")).get("name")
        for record in _listed(_named(scope), _RECORDS):
            found = span(record) if "logRecords" not in scope and is_span(record) else _logged(record)
            yield (replace(found, scope=str(name or "")) if isinstance(found, Span) else found), _id(record)


def span(record: Mapping[str, Any]) -> Span:
    """Return the span that a record is.

    Raises:
        TraceError: It is none.
    """
    named = _named(record)
    shape = shape_of(named)
    if shape is None:
        msg = f"a record with the keys {', '.join(map(str, record))[:120]} is no span."
        raise TraceError(msg)
    attributes = _attributes_of(named, shape)
    error = at(named, shape.error) if shape.error else None
    stated = at(named, shape.code) if shape.code else None
    status = named.get("status") if shape.code and isinstance(named.get("status"), str) else ""
    code = str(stated or attributes.pop("otel.status_code", "") or status).lower()
    has_failed = True if error or code in _FAILED else False if code in _SUCCEEDED else None
    started = timestamp(at(named, shape.start))
    return Span(
        id=str(at(named, shape.id)),
        name=_operation(str(at(named, shape.name) or "span")),
        trace_id=str(at(named, shape.trace_id) or ""),
        parent_id=_parent_id(at(named, shape.parent)),
        attributes=attributes,
        events=tuple(_event(event) for event in _listed({"events": at(named, shape.events)}, ("events",))),
        has_failed=has_failed,
        status=_words(error) or str(at(named, shape.message) or attributes.pop("otel.status_description", "")),
        started_at=started,
        ended_at=timestamp(at(named, shape.end)) or _later(started, at(named, shape.duration), at(named, shape.start)),
        scope=str(mapping(named.get("scope") or named.get("instrumentation_scope")).get("name") or ""),
        links=len(_listed(named, ("links",))),
        format=shape.format,
        code="" if has_failed is not None or code in _UNSET else code,
    )


def _attributes_of(named: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    found = _attributes(at(named, shape.attributes)) if shape.attributes else {}
    for name, path in shape.extra.items():
        if name not in found and (value := at(named, path)) is not None:
            found[name] = value
    tagged = found.pop("error", None) if shape.format == "opentelemetry" else None
    if tagged and str(tagged).lower() != "false":
        # Zipkin and Jaeger mark a failed span with a tag.
        found.setdefault("otel.status_code", "ERROR")
        if str(tagged).lower() != "true":
            found.setdefault("otel.status_description", tagged)
    return found


def _operation(name: str) -> str:
    """Return the name in the address of one of Weave's operations: ``weave:///team/shop/op/lookup:hash``."""
    return name.rpartition("/")[2].partition(":")[0] if name.startswith("weave:///") else name


def _words(error: object) -> str:
    stated = (error.get(key) for key in _ERROR_WORDS) if isinstance(error, Mapping) else ()
    return str(next(filter(None, stated), error)) if error else ""


def _later(started: datetime | None, duration: object, start: object) -> datetime | None:
    """Return the end of a span that says how long it took, in the unit of its start."""
    if started is None or isinstance(duration, bool) or not isinstance(duration, int | float):
        return None
    if not isinstance(start, int | float):
        return None
    return timestamp(start + duration)


def _id(record: Mapping[str, Any]) -> str:
    return str(at(_named(record), "span_id|context.span_id") or "")


def _parent_id(parent: object) -> str | None:
    # Protobuf's JSON has an empty text or zeros where a span has no parent, Datadog a word.
    return str(parent) if parent and str(parent).strip("0") and parent != "undefined" else None


def _event(record: Mapping[str, Any]) -> Event:
    named = _named(record)
    attributes = _attributes(named.get("attributes") or named.get("fields"))
    name = named.get("name") or named.get("event_name") or attributes.pop("event", None) or named.get("value")
    return Event(str(name or ""), attributes)


def _logged(record: Mapping[str, Any]) -> Event:
    named = _named(record)
    attributes = _attributes(named.get("attributes"))
    name = named.get("event_name") or attributes.get("event.name") or ""
    body = _value(named.get("body"))
    return Event(str(name), {**attributes, **(body if isinstance(body, dict) else {"content": body})})


def _attributes(value: object) -> dict[str, Any]:
    """Return attributes as a mapping; OTLP has a list of keys and typed values."""
    if isinstance(value, Mapping):
        return dict(value)
    pairs = [pair for pair in items(value) if isinstance(pair, Mapping) and "key" in pair]
    return {str(pair["key"]): _value(pair.get("value")) for pair in pairs}


def _value(value: object) -> object:
    """Return the plain value of one of OTLP's typed ones (``{"stringValue": ...}``)."""
    if not isinstance(value, Mapping):
        return value
    named = _named(value)
    if "int_value" in named:
        # 64-bit numbers are texts in protobuf's JSON.
        return int(named["int_value"]) if str(named["int_value"]).lstrip("-").isdecimal() else named["int_value"]
    for key in _VALUES:
        if key in named:
            return named[key]
    if "array_value" in named:
        return [_value(item) for item in items(mapping(named["array_value"]).get("values"))]
    return _attributes(mapping(named["kvlist_value"]).get("values")) if "kvlist_value" in named else value


def _named(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record under Python's names for them: ``spanId`` is ``span_id``.

    Columns of a data frame (``context.span_id``, ``attributes.input.value``) become the objects that they were.
    """
    named = {_snake(str(key)): item for key, item in record.items()}
    if not any(key.startswith(_COLUMNS) for key in named):
        return named
    for prefix in _COLUMNS:
        fields = {key: named.pop(key) for key in [*named] if key.startswith(prefix)}
        inner = {key[len(prefix) :]: _grown(item) for key, item in fields.items() if item is not None}
        named[prefix[:-1]] = {**mapping(named.get(prefix[:-1])), **inner}
    return named


@cache
def _snake(key: str) -> str:
    return _CAMEL.sub("_", key).lower()


def _grown(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    """Return a column's value with the dots in the names of its objects as levels."""
    if isinstance(value, list):
        return [_grown(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    grown: dict[str, Any] = {}
    for key, item in value.items():
        *branches, leaf = str(key).split(".")
        home = grown
        for branch in branches:
            home = home.setdefault(branch, {})
        home[leaf] = _grown(item)
    return grown


def _listed(named: Mapping[str, Any], keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
    found: list[Any] = next((named[key] for key in keys if isinstance(named.get(key), list)), [])
    return [item for item in found if isinstance(item, Mapping)]
