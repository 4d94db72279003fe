"""Parents across ways of recording."""

from __future__ import annotations

from pytest_refinery.traces.nesting import Nesting


class Way:
    """A way of recording that opens and closes runs one inside the other."""

    def __init__(self, name: str, nesting: Nesting) -> None:
        self.name = name
        self.open: list[str] = []
        self._nesting = nesting
        nesting.add_way(name, lambda: self.open[-1] if self.open else None)

    def start(self, run_id: str) -> str | None:
        self._nesting.started(run_id, way=self.name, parent_id=self.open[-1] if self.open else None)
        self.open.append(run_id)
        return self._nesting.parent_of(run_id)


def test_the_innermost_run_is_the_one_started_last_whoever_recorded_it() -> None:
    nesting = Nesting()
    spans, runs = Way("spans", nesting), Way("runs", nesting)
    assert [spans.start("s1"), runs.start("r1"), spans.start("s2"), runs.start("r2")] == [None, "s1", "r1", "s2"]
    runs.open.clear()
    assert runs.start("r3") == "s2"


def test_a_parent_that_was_never_started_is_not_known() -> None:
    nesting = Nesting()
    nesting.add_way("runs", lambda: None)
    nesting.started("r1", way="runs", parent_id="elsewhere")
    assert nesting.parent_of("r1") is None
    assert nesting.parent_of("never") is None


def test_a_run_that_is_told_of_twice_keeps_its_first_place() -> None:
    nesting = Nesting()
    spans, runs = Way("spans", nesting), Way("runs", nesting)
    spans.start("s1")
    runs.start("r1")
    nesting.started("s1", way="spans", parent_id="r1")
    assert nesting.parent_of("s1") is None
