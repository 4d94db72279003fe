"""Keeps in this process the OpenTelemetry spans that an agent's providers would export.

While a capture is active, no span reaches a processor of any of the SDK's providers, so none is exported; where the
process has no provider, there is one for as long.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, ProxyTracer, SpanContext, TraceFlags, set_span_in_context

from pytest_refinery.sources import formats
from pytest_refinery.sources.capture.ref_counted import RefCountedContext

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import Span

    from pytest_refinery.traces.model import Run
    from pytest_refinery.traces.nesting import Nesting

# What each SDK provider hands its spans to, whichever processors the user has added to it.
_HUBS = (SynchronousMultiSpanProcessor, ConcurrentMultiSpanProcessor)
_PASSED_ON = ("on_start", "_on_ending", "on_end")
_here: ContextVar[OpenTelemetryTracing | None] = ContextVar("refinery_opentelemetry_tracing", default=None)


class OpenTelemetryTracing:
    """Captures the spans of one call of an agent."""

    name = "OpenTelemetry"

    def __init__(self) -> None:
        self._nesting: Nesting | None = None
        self._spans: list[Span] = []

    @contextmanager
    def active(self, nesting: Nesting) -> Iterator[None]:
        """Capture what runs in a block; see ``traces.capture.TraceCapture``."""
        self._nesting = nesting
        nesting.add_way(self.name, _innermost)
        here, outside = _here.set(self), contexts.attach(_sampled())
        try:
            with _CAPTURES.hold(self):
                yield
        finally:
            contexts.detach(outside)
            _here.reset(here)

    def take(self, span: Span) -> None:
        """Take note of a span that starts; what it says is read when all is over."""
        self._spans.append(span)
        if self._nesting is not None:
            parent_id = _id(span.parent) if span.parent else None
            self._nesting.started(_id(span.get_span_context()), way=self.name, parent_id=parent_id)

    def captured(self) -> tuple[Sequence[Run], Sequence[str]]:
        """Return the runs, and what could not be mapped."""
        if not self._spans:
            return (), ()
        found = formats.trace_of_spans(_of_one_trace(self._spans), source="the agent's spans")
        return found.runs, found.notes


def _of_one_trace(spans: Sequence[Span]) -> Iterator[dict[str, Any]]:
    """Yield the spans as JSON objects; one that was started in another context is a root, and no other trace."""
    ids = {_id(span.get_span_context()) for span in spans}
    for span in spans:
        record = json.loads(span.to_json())
        parent_id = record["parent_id"] if record["parent_id"] in ids else None
        yield record | {"parent_id": parent_id, "context": record["context"] | {"trace_id": "0x1"}}


def _id(context: SpanContext) -> str:
    """Return a span's id as ``span.to_json()`` writes it."""
    return f"0x{trace.format_span_id(context.span_id)}"


def _innermost() -> str | None:
    context = trace.get_current_span().get_span_context()
    return _id(context) if context.is_valid else None


def _sampled() -> contexts.Context:
    """Return a context in which samplers that follow the parent sample, and no span of the test is the parent."""
    ids = RandomIdGenerator()
    parent = SpanContext(
        ids.generate_trace_id(), ids.generate_span_id(), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(parent))


def _started(_: object, span: Span, parent_context: object = None) -> None:  # noqa: ARG001  (the SDK's signature)
    capture = _here.get() or _CAPTURES.last
    if capture is not None:
        capture.take(span)


def _passed_on_no_further(*_: object) -> None:
    """End here."""


@cache
def _provider() -> TracerProvider:
    return TracerProvider(shutdown_on_exit=False)


def _tracer_of_ours(proxy: Any) -> trace.Tracer:  # noqa: ANN401  (a proxy's own fields have no types)
    """Stand in for the tracer of a process without a provider; a provider that the agent sets takes over."""
    real = _REAL_TRACER(proxy)
    return _provider().get_tracer(proxy._instrumenting_module_name) if real is proxy._noop_tracer else real  # noqa: SLF001


_REAL_TRACER: Any = ProxyTracer._tracer.fget  # type: ignore[attr-defined]  # noqa: SLF001


@contextmanager
def _kept_here() -> Iterator[None]:
    with ExitStack() as stack:
        for hub in _HUBS:
            # Not every version of the SDK passes all of them on.
            for name in filter(partial(hasattr, hub), _PASSED_ON):
                stands_in = _started if name == "on_start" else _passed_on_no_further
                stack.enter_context(patch.object(hub, name, stands_in))
        stack.enter_context(patch.object(ProxyTracer, "_tracer", property(_tracer_of_ours)))
        yield


_CAPTURES: RefCountedContext[OpenTelemetryTracing] = RefCountedContext(_kept_here)
