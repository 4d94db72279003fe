"""OpenTelemetry spans as a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats.otel import contents, exceptions, records
from pytest_refinery.sources.formats.otel import messages as message_attributes
from pytest_refinery.sources.formats.otel.attributes import Attributes
from pytest_refinery.sources.formats.otel.records import Event, Span
from pytest_refinery.sources.formats.tally import Tally, described, tree_notes
from pytest_refinery.traces.model import Run, Trace, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_refinery.traces.model import Json

_EXCEPTION = "exception"
# Where an exception is written on the span itself, or on its event.
_EXCEPTION_WORDS = ("exception.type", "exception.message")


def trace_of_spans(records: Iterable[Mapping[str, Any]], *, source: str, name: str = "") -> Trace:
    """Return the trace that finished spans make.

    Args:
        records: Spans as JSON objects: the SDK's ``json.loads(span.to_json())``, spans of OTLP, or whole OTLP exports.
        source: Where they come from, for messages to the user.
        name: The trace's name; without one, its first root's.

    Raises:
        TraceError: There is no span among the records, two that differ share an id, or parents form a cycle.
    """
    spans = Spans(source)
    for record in records:
        spans.add(record)
    return spans.trace(name=name)


class Spans:
    """Collects spans, and makes a trace of them."""

    what = "spans"

    def __init__(self, source: str) -> None:
        self._source = source
        self._spans: dict[str, Span] = {}
        self._repeated = 0
        self._logged: dict[str, list[Event]] = {}
        self._answer: Json = None
        self._noted: set[str] = set()
        self._attributes = Tally("Attributes that a run has no place for, kept as its metadata")
        self._events = Tally("Events of spans that a run has no place for, kept as its metadata")
        self._records = Tally("Records that are no spans, not read")

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is a span or an export of spans."""
        return records.is_span(record) or records.is_export(record)

    def add(self, record: object) -> bool:
        """Add a span, an export of spans, or something else, which is counted.

        Returns:
            Whether it is one.

        Raises:
            TraceError: Another span has the same id.
        """
        if isinstance(record, Mapping) and record.keys() == {"final_output"}:
            # any-agent writes the answer beside the spans.
            self._answer = record["final_output"]
            return True
        found = [*_found(record)]
        is_known = bool(found) or self.recognises(record)
        self._records.add(len(found) if is_known else 1, () if is_known else [described(record)])
        for item, span_id in found:
            if isinstance(item, Span):
                self._add(item)
            else:
                self._logged.setdefault(span_id, []).append(item)
        return is_known

    def _add(self, span: Span) -> None:
        known = self._spans.setdefault(span.id, span)
        if known != span:
            msg = f"{self._source}: two spans have the id {span.id} and differ; ids must differ within a file."
            raise TraceError(msg)
        # An exporter that heard no answer sends a span again.
        self._repeated += known is not span

    def trace(self, *, name: str = "") -> Trace:
        """Return the trace.

        Raises:
            TraceError: There is no span, or parents form a cycle.
        """
        if not self._spans:
            msg = f"{self._source}: there is no finished span in it."
            raise TraceError(msg)
        spans = self._spans.values()
        runs = self._answered(in_order([self._run(span) for span in spans], source=self._source))
        runs, survived = exceptions.demoted(runs, noted=self._noted)
        return Trace(
            id=next(iter(spans)).trace_id or runs[0].id,
            name=name or runs[0].name,
            runs=runs,
            source=self._source,
            format=next(iter(spans)).format,
            notes=(*self._notes(runs), *survived),
        )

    def _answered(self, runs: tuple[Run, ...]) -> tuple[Run, ...]:
        root = next((run for run in reversed(runs) if run.parent_id is None), runs[-1])
        if self._answer is None:
            return runs
        known = {"metadata": {**root.metadata, "final_output": self._answer}}
        answered = root.model_copy(update={"outputs": self._answer} if root.outputs is None else known)
        return tuple(answered if run is root else run for run in runs)

    def _notes(self, runs: tuple[Run, ...]) -> Iterator[str]:
        spans = self._spans.values()
        yield from tree_notes(runs, {span.trace_id for span in spans})
        if codes := dict.fromkeys(span.code for span in spans if span.code):
            yield f"Codes of spans' status that are not known, read as no failure: {', '.join(codes)}."
        if self._repeated:
            yield f"Spans that the file holds more than once: {self._repeated}."
        lost = sum(len(events) for span_id, events in self._logged.items() if span_id not in self._spans)
        if lost:
            yield f"Log records of spans that are not in the file, not read: {lost}."
        links = sum(span.links for span in spans)
        if links:
            yield f"Links between spans, which a tree of runs has no place for: {links}."
        for tally in (self._attributes, self._events, self._records):
            yield from tally.notes()

    def _run(self, span: Span) -> Run:
        events = (*span.events, *self._logged.get(span.id, ()))
        spoken = [event for event in events if message_attributes.is_message(event)]
        details = [event for event in events if event not in spoken and _is_detail(event)]
        attributes = Attributes({**_joined(details), **span.attributes})
        total = len(attributes.left)
        error = _error(span, attributes, events)
        if error and not span.has_failed:
            self._noted.add(span.id)
        found = contents.read(attributes, tuple(spoken))
        others = [event for event in events if event not in (*spoken, *details) and event.name != _EXCEPTION]
        self._attributes.add(total, attributes.left)
        self._events.add(len(events), (event.name for event in others))
        return Run(
            id=span.id,
            name=found.name or span.name,
            kind=found.kind,
            parent_id=span.parent_id,
            inputs=found.inputs,
            outputs=found.outputs,
            error=error,
            is_pending=span.ended_at is None,
            started_at=span.started_at,
            ended_at=span.ended_at,
            metadata=_metadata(span, attributes, others),
            settings=found.settings,
            usage=found.usage,
        )


def _found(record: object) -> Iterator[tuple[Span | Event, str]]:
    if records.is_export(record) and isinstance(record, Mapping):
        yield from records.spans_in(record)
    elif records.is_span(record) and isinstance(record, Mapping):
        found = records.span(record)
        yield found, found.id


def _is_detail(event: Event) -> bool:
    """Tell whether an event carries attributes that the conventions allow there instead of on the span."""
    return any(name.startswith("gen_ai.") for name in event.attributes)


def _joined(events: list[Event]) -> dict[str, Any]:
    return {name: value for event in events for name, value in event.attributes.items()}


def _error(span: Span, attributes: Attributes, events: tuple[Event, ...]) -> str | None:
    """Return why a span has failed: the exception it noted, its status, or the type of the error."""
    raised = [_words(event.attributes) for event in events if event.name == _EXCEPTION]
    written = _words({name: attributes.take(name) for name in (*_EXCEPTION_WORDS, "exception.stacktrace")})
    kind = attributes.text("error.type")
    if span.has_failed is False:
        return None
    found = next((words for words in (*raised[::-1], written, span.status) if words), kind)
    return found or ("The span is marked as failed, without a message." if span.has_failed else None)


def _words(fields: Mapping[str, Any]) -> str:
    return ": ".join(str(fields[name]) for name in _EXCEPTION_WORDS if fields.get(name))


def _metadata(span: Span, attributes: Attributes, events: list[Event]) -> dict[str, object]:
    noted = [{"name": event.name, "attributes": dict(event.attributes)} for event in events]
    found = {"scope": span.scope, **attributes.left, "events": noted}
    return {name: value for name, value in found.items() if value}
