"""A recording sees of a trace what its replay will see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery.cassettes.tape import Mode, RecordedTraces, Tape
from pytest_refinery.scrubbing.scrubber import Scrubber
from pytest_refinery.traces.model import Run, Trace
from tests.fakes import make_trace
from tests.unit.cassettes.exchanges import asked

if TYPE_CHECKING:
    from collections.abc import Callable

_TRACE = Trace(
    id="t",
    name="talk with jane@example.org",
    runs=(
        Run(
            id="r1",
            name="ask",
            kind="tool",
            inputs={"password": "x", "n": 1},
            outputs=["call jane@example.org", None],
            error="no jane@example.org",
        ),
    ),
)


class _Source:
    def __init__(self, load: Callable[[], Trace]) -> None:
        self._load = load

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        return self._load()


def _tape() -> Tape:
    return Tape(Path("c.yaml"), Mode.ALL, about="a", old=None, scrubber=Scrubber(personal=True))


def test_a_trace_that_comes_through_the_cassette_is_without_what_the_cassette_will_not_hold() -> None:
    tape = _tape()

    def fetch() -> Trace:
        tape.answer(asked())
        return _TRACE

    found = RecordedTraces(_Source(fetch), tape).load("t", base=Path())

    assert found.name == "talk with someone@example.com"
    assert found.root.inputs == {"password": "REMOVED", "n": 1}
    assert found.root.outputs == ["call someone@example.com", None]
    assert found.root.error == "no someone@example.com"
    assert found.id == "t"


def test_a_trace_of_a_file_is_as_it_is() -> None:
    tape = _tape()
    tape.answer(asked())
    trace = make_trace("jane@example.org")

    assert RecordedTraces(_Source(lambda: trace), tape).load("t", base=Path()) is trace
