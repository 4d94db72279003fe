"""OpenTelemetry spans, in each JSON that they are written as, as spans of one shape.

OTLP JSON (``resourceSpans``, also of older and of Python's own making), what the SDK's ``span.to_json()``
gives, and the dumps that frameworks make of finished spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_refinery.sources.formats.values import timestamp

if TYPE_CHECKING:
    from datetime import datetime

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_RESOURCES = ("resource_spans", "resource_logs")
_SCOPES = ("scope_spans", "instrumentation_library_spans", "scope_logs", "instrumentation_library_logs")
_RECORDS = ("spans", "log_records", "logs")
# OTLP's number, its name, the SDK's name.
_FAILED = frozenset({"2", "status_code_error", "statuscode.error", "error"})
_SUCCEEDED = frozenset({"1", "status_code_ok", "statuscode.ok", "ok"})
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


def is_span(value: object) -> bool:
    """Tell whether a JSON value is one span, in any of the forms."""
    if not isinstance(value, Mapping):
        return False
    context = value.get("context")
    ids = (value.get("span_id"), value.get("spanId"), isinstance(context, Mapping) and context.get("span_id"))
    return any(ids) and ("attributes" in value or "name" in value)


def is_export(value: object) -> bool:
    """Tell whether a JSON value is an OTLP export, or one resource of it."""
    return isinstance(value, Mapping) and not _named(value).keys().isdisjoint((*_RESOURCES, *_SCOPES))


def spans_in(export: Mapping[str, Any]) -> Iterator[tuple[Span | Event, str]]:
    """Yield the spans of an OTLP export, and its log records as events; each with the id of its span."""
    named = _named(export)
    for resource in _listed(named, _RESOURCES):
        yield from spans_in(resource)
    for scope in _listed(named, _SCOPES):
        name = _mapping(scope.get("scope") or scope.get("instrumentationLibrary")).get("name")
        for record in _listed(_named(scope), _RECORDS):
            found = span(record) if is_span(record) and "logRecords" not in scope else _logged(record)
            yield (replace(found, scope=str(name or "")) if isinstance(found, Span) else found), _id(record)


def span(record: Mapping[str, Any]) -> Span:
    """Return the span that a record is."""
    named = _named(record)
    context, status = _mapping(named.get("context")), _named(_mapping(named.get("status")))
    code = str(status.get("code", status.get("status_code", named.get("status_code", "")))).lower()
    events = _listed(named, ("events", "span_events"))
    return Span(
        id=_id(record),
        name=str(named.get("name") or "span"),
        trace_id=str(named.get("trace_id") or context.get("trace_id") or ""),
        parent_id=_parent_id(named),
        attributes=_attributes(named.get("attributes")),
        events=tuple(_event(event) for event in events),
        has_failed=True if code in _FAILED else False if code in _SUCCEEDED else None,
        status=str(status.get("message") or status.get("description") or named.get("status_message") or ""),
        started_at=timestamp(named.get("start_time_unix_nano") or named.get("start_time")),
        ended_at=timestamp(named.get("end_time_unix_nano") or named.get("end_time")),
        scope=str(_mapping(named.get("scope") or named.get("instrumentation_scope")).get("name") or ""),
        links=len(_listed(named, ("links",))),
    )


def _id(record: Mapping[str, Any]) -> str:
    named = _named(record)
    return str(named.get("span_id") or _mapping(named.get("context")).get("span_id") or "")


def _parent_id(named: Mapping[str, Any]) -> str | None:
    parent = named.get("parent_span_id") or named.get("parent_id") or _mapping(named.get("parent")).get("span_id")
    # Protobuf's JSON has an empty text or zeros where a span has no parent.
    return str(parent) if parent and str(parent).strip("0") else None


def _event(record: Mapping[str, Any]) -> Event:
    named = _named(record)
    return Event(str(named.get("name") or named.get("event_name") or ""), _attributes(named.get("attributes")))


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
    pairs = [pair for pair in _items(value) if isinstance(pair, Mapping) and "key" in pair]
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
        return [_value(item) for item in _items(_mapping(named["array_value"]).get("values"))]
    return _attributes(_mapping(named["kvlist_value"]).get("values")) if "kvlist_value" in named else value


def _named(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record under Python's names for them: ``spanId`` is ``span_id``."""
    return {_CAMEL.sub("_", str(key)).lower(): item for key, item in record.items()}


def _listed(named: Mapping[str, Any], keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
    found: list[Any] = next((named[key] for key in keys if isinstance(named.get(key), list)), [])
    return [item for item in found if isinstance(item, Mapping)]


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
