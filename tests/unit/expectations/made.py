"""Traces and checks made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_refinery.expectations.checks import Check, Verdict, run_checks
from pytest_refinery.traces.model import Run, Trace

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def make_run(run_id: str, kind: str = "chain", *, seconds: float | None = None, **fields: Any) -> Run:  # noqa: ANN401  (as the model)
    """Return a run; ``seconds`` is how long it took from 9 o'clock on."""
    if seconds is not None:
        fields |= {"started_at": START, "ended_at": START + timedelta(seconds=seconds)}
    return Run(**{"id": run_id, "name": run_id, "kind": kind, **fields})


def make_trace(*runs: Run, name: str = "support", **fields: Any) -> Trace:  # noqa: ANN401  (as the model)
    return Trace(id="t1", name=name, runs=runs, **fields)


def answering(text: object) -> Trace:
    """Return a trace of one run that answers ``text``."""
    return make_trace(make_run("agent", outputs={"output": text}))


def calling(*calls: tuple[str, Any]) -> Trace:
    """Return a trace with an agent and a tool run for each name and arguments."""
    tools = [
        make_run(f"call-{number}", "tool", name=name, inputs=inputs, parent_id="agent")
        for number, (name, inputs) in enumerate(calls, start=1)
    ]
    return make_trace(make_run("agent", outputs={"output": "Done."}), *tools)


def speaking(*messages: dict[str, Any]) -> Trace:
    """Return a chat transcript."""
    runs = [
        make_run(str(index), "message", name=message.get("name") or message["role"], outputs=message)
        for index, message in enumerate(messages)
    ]
    return make_trace(*runs, format="transcript")


def make_check(name: str, argument: object) -> Check:
    return Check.model_validate({name: argument})


def decide(name: str, argument: object, trace: Trace) -> Verdict:
    """Return the verdict of the one thing that the check demands."""
    (verdict,) = run_checks([make_check(name, argument)], trace)
    return verdict
