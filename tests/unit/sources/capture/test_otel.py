"""What is captured of OpenTelemetry's spans, beside what the SDK's own exporter is given."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from pytest_refinery.sources.capture.langsmith import LangSmithTracing
from pytest_refinery.sources.capture.otel import OpenTelemetryTracing
from pytest_refinery.sources.formats.otel import trace_of_spans
from pytest_refinery.traces.recorder import Recorder, record
from tests import traced_agents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_refinery.traces.capture import TraceCapture
    from pytest_refinery.traces.model import Run, Trace

QUESTION = "Where is order 7?"


def captured(call: Callable[[], object], *captures: TraceCapture) -> Trace:
    recorder = Recorder("agent")
    with recorder.capturing(captures or [OpenTelemetryTracing()]) as root:
        root.outputs = call()
    trace = recorder.trace()
    assert trace is not None
    return trace


def exporting(provider: TracerProvider) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


def told(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return what runs say, their ids as places in the tree."""
    places = {run.id: place for place, run in enumerate(runs)}
    fields = {"name", "kind", "inputs", "outputs", "error", "settings", "usage", "metadata"}
    return [run.model_dump(include=fields) | {"parent": places.get(run.parent_id or "")} for run in runs]


def tree(trace: Trace) -> list[tuple[str, str | None]]:
    names = {run.id: run.name for run in trace.runs}
    return [(run.name, names.get(run.parent_id or "")) for run in trace.runs]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> TracerProvider:
    """A provider that the agents' tracer uses."""
    provider = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(traced_agents, "tracer", provider.get_tracer("shop"))
    return provider


def test_the_spans_are_those_that_the_exporter_is_given(provider: TracerProvider) -> None:
    exporter = exporting(provider)
    traced_agents.spanned(QUESTION)
    spans = [json.loads(span.to_json()) for span in exporter.get_finished_spans()]
    exported = told(trace_of_spans(spans, source="exported").runs)
    assert [run["kind"] for run in exported] == ["chain", "llm", "tool"]
    found = captured(lambda: traced_agents.spanned(QUESTION)).runs
    assert (found[0].name, found[0].outputs) == ("agent", "It ships tomorrow.")
    inside = [run | {"parent": run["parent"] - 1 if run["parent"] else None} for run in told(found[1:])]
    assert [run | {"parent": None} for run in inside] == [run | {"parent": None} for run in exported]
    assert [run.parent_id for run in found] == [None, "run-1", "run-2", "run-2"]


def test_nothing_reaches_an_exporter_and_afterwards_everything_does(provider: TracerProvider) -> None:
    exporter = exporting(provider)
    captured(lambda: traced_agents.spanned(QUESTION))
    assert exporter.get_finished_spans() == ()
    traced_agents.spanned(QUESTION)
    assert len(exporter.get_finished_spans()) == 3


def test_a_provider_with_a_hub_of_threads_is_captured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = ConcurrentMultiSpanProcessor()
    provider = TracerProvider(active_span_processor=hub, shutdown_on_exit=False)
    exporter = exporting(provider)
    monkeypatch.setattr(traced_agents, "tracer", provider.get_tracer("shop"))
    assert len(captured(lambda: traced_agents.spanned(QUESTION)).runs) == 4
    assert exporter.get_finished_spans() == ()
    provider.shutdown()


def test_a_process_without_a_provider_has_one_for_as_long_as_an_agent_runs() -> None:
    assert isinstance(otel.get_tracer_provider(), otel.ProxyTracerProvider)
    assert len(captured(lambda: traced_agents.spanned(QUESTION)).runs) == 4
    assert isinstance(otel.get_tracer_provider(), otel.ProxyTracerProvider)
    assert not otel.get_tracer("shop").start_span("x").is_recording()
    assert not traced_agents.tracer.start_span("x").is_recording()


def test_a_provider_that_the_agent_makes_for_itself_is_captured() -> None:
    def agent() -> str:
        provider = TracerProvider(shutdown_on_exit=False)
        with provider.get_tracer("own").start_as_current_span("its own"):
            return "done"

    assert tree(captured(agent)) == [("agent", None), ("its own", "agent")]


def test_the_parent_of_the_test_is_none_of_the_agents(provider: TracerProvider) -> None:
    with provider.get_tracer("pytest").start_as_current_span("the test"):
        assert tree(captured(lambda: traced_agents.spanned(QUESTION)))[1] == ("invoke_agent shop", "agent")


def test_a_sampler_that_heeds_the_parent_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    monkeypatch.setattr(traced_agents, "tracer", provider.get_tracer("shop"))
    assert len(captured(lambda: traced_agents.spanned(QUESTION)).runs) == 4


def test_a_span_that_is_still_open_is_pending(provider: TracerProvider) -> None:
    opened: list[Any] = []
    trace = captured(lambda: opened.append(traced_agents.tracer.start_span("never ends")))
    assert [run.is_pending for run in trace.runs if run.name == "never ends"] == [True]


def test_an_exception_is_the_error_of_the_span_and_of_the_agent(provider: TracerProvider) -> None:
    recorder = Recorder("agent")
    with (
        pytest.raises(LookupError),
        recorder.capturing([OpenTelemetryTracing()]),
        traced_agents.tracer.start_as_current_span("look up"),
    ):
        raise LookupError("no such order")
    trace = recorder.trace()
    assert trace is not None
    assert [run.name for run in trace.runs] == ["look up"]
    assert "no such order" in (trace.root.error or "")


def test_a_thread_without_a_context_is_inside_the_agent(provider: TracerProvider) -> None:
    def agent() -> None:
        thread = threading.Thread(target=traced_agents.spanned, args=(QUESTION,))
        thread.start()
        thread.join()

    trace = captured(agent)
    assert tree(trace)[:2] == [("agent", None), ("invoke_agent shop", "agent")]
    assert trace.notes == ()


def test_spans_runs_and_what_is_recorded_by_hand_are_one_tree(provider: TracerProvider) -> None:
    def agent() -> str:
        with record("by hand", "retriever"):
            return traced_agents.mixed(QUESTION)

    assert tree(captured(agent, LangSmithTracing(), OpenTelemetryTracing())) == [
        ("agent", None),
        ("by hand", "agent"),
        ("request", "by hand"),
        ("outer", "request"),
        ("cache", "outer"),
        ("look_up", "cache"),
    ]


def test_calls_that_both_recorded_are_there_once(provider: TracerProvider) -> None:
    def agent() -> str:
        traced_agents.look_up(7)
        traced_agents.look_up(8)
        return traced_agents.spanned(QUESTION)

    trace = captured(agent, LangSmithTracing(), OpenTelemetryTracing())
    assert [run.kind for run in trace.runs] == ["chain", "tool", "tool"]
    assert trace.notes == (
        "Runs left out because the agent records the same calls in another way too: 3 of its OpenTelemetry tracing.",
    )
