"""Traces as a replay will see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.cassettes.scrubbing import Scrubber
    from pytest_refinery.cassettes.tape import Tape
    from pytest_refinery.traces.model import Json, Run, Trace
    from pytest_refinery.traces.source import TraceSource

_SAYING = ("name", "inputs", "outputs", "error", "metadata", "settings", "template")


class RecordedTraces:
    """Takes out of a trace that comes through a cassette what the cassette will not hold.

    What is asked about a trace, and under what names, depends on all that is in it. A recording that has seen a secret
    asks what no replay will ask.
    """

    def __init__(self, source: TraceSource, tape: Tape) -> None:
        self._source = source
        self._tape = tape

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        """Return the trace that ``reference`` names, as its source does."""
        before = self._tape.asked
        trace = self._source.load(reference, base=base, project=project)
        return trace if self._tape.asked == before else scrubbed(trace, self._tape.scrubber)


def scrubbed(trace: Trace, scrubber: Scrubber) -> Trace:
    """Return a trace without what no cassette may hold."""
    runs = tuple(_scrubbed(run, scrubber) for run in trace.runs)
    return trace.model_copy(update={"name": scrubber.text(trace.name), "runs": runs})


def _scrubbed(run: Run, scrubber: Scrubber) -> Run:
    return run.model_copy(update={name: scrubber.json(cast("Json", getattr(run, name))) for name in _SAYING})
