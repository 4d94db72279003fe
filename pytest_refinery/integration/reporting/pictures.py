"""What the page shows beside the records, from where it is known to where the page is written."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any, cast

from pytest_refinery.analysis.ports import Spending
from pytest_refinery.integration.item_records import ENDS_THE_RUN
from pytest_refinery.reports.page.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pytest

    from pytest_refinery.analysis.pictures import Picture
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.traces.model import Trace


class PictureCollector:
    """Keeps the picture of a failed item's trace, and what was spent when, until the item's report takes it along.

    Args:
        is_wanted: Whether there will be a page; without one nothing is kept.
        seconds: How long drawing a trace may take; what is not drawn in time is left out.
    """

    def __init__(self, *, is_wanted: bool, seconds: float = 300.0) -> None:
        self._is_wanted = is_wanted
        self._seconds = seconds
        self._pictures: dict[str, str] = {}
        self._traces: dict[str, str] = {}
        self._drawn: tuple[Trace, str] | None = None
        self._shipped: set[str] = set()
        self._spent: list[tuple[float, int]] = []

    def spent(self, tokens: int) -> None:
        """Take note of what a request cost, just now; from any thread."""
        if self._is_wanted and tokens:
            self._spent.append((time.time(), tokens))

    def keep_trace(self, nodeid: str, text: str) -> None:
        """Keep the trace that an agent made for an item."""
        self._traces[nodeid] = text

    def draw(self, record: ItemRecord, case: Case) -> None:
        """Draw the trace of a failed item."""
        self._pictures.pop(record.nodeid, None)
        if not self._is_wanted:
            return
        try:
            self._pictures[record.nodeid] = self._picture(record, case)
        except ENDS_THE_RUN:
            raise
        except BaseException:  # noqa: BLE001  (pytest-timeout raises anywhere; the item stands without a picture)
            return

    def _picture(self, record: ItemRecord, case: Case) -> str:
        # Expectations about one trace stand together; where nothing is cut, the quotes change nothing.
        if self._drawn is not None and self._drawn[0] is case.trace:
            return self._drawn[1]
        evidence = (
            *(record.diagnosis.evidence if record.diagnosis else ()),
            *(record.judge.quotes if record.judge else ()),
        )
        picture = self._in_time(case.trace, [each.quote for each in evidence])
        text = picture.model_dump_json(exclude_defaults=True)
        self._drawn = None if picture.cut else (case.trace, text)
        return text

    def _in_time(self, trace: Trace, quotes: Sequence[str]) -> Picture:
        from pytest_refinery.analysis import pictures
        from pytest_refinery.analysis.concurrency import run_all
        from pytest_refinery.analysis.diagnosis_job import TimedJob

        def draw() -> Picture | BaseException:
            try:
                return pictures.draw(trace, quotes=quotes)
            except BaseException as error:  # noqa: BLE001  (raised below, in the thread that waits)
                return error

        # A trace that takes too long keeps a thread, and not the run.
        ((_, picture),) = run_all([draw], workers=1, seconds_left=TimedJob(self._seconds).seconds_left)
        if isinstance(picture, BaseException):
            raise picture
        return picture

    def to_report(self, report: pytest.TestReport) -> None:
        """Let the report that carries an item's record take everything along."""
        if not hasattr(report, "refinery"):
            return
        taken = cast("Any", report)
        nodeid = taken.refinery["nodeid"]
        if nodeid in self._pictures:
            # As text, which xdist ships much faster than what it stands for; the same one once.
            picture = self._pictures.pop(nodeid)
            name = hashlib.sha256(picture.encode()).hexdigest()
            taken.refinery_picture = (name, None if name in self._shipped else picture)
            self._shipped.add(name)
        if nodeid in self._traces:
            taken.refinery_trace = self._traces.pop(nodeid)
        if self._spent:
            taken.refinery_spent = self.take_spent()

    def take_spent(self) -> list[tuple[float, int]]:
        """Return what was spent since the last time, as seconds since the epoch and tokens."""
        taken, self._spent = self._spent, []
        return taken


class PictureStore:
    """Gathers what reports bring, on the controller.

    Attributes:
        traces: Those that agents made, as text, by node id.
    """

    def __init__(self) -> None:
        self._pictures: dict[str, str] = {}
        self.traces: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        self._spendings: list[Spending] = []

    def take(self, report: pytest.TestReport, nodeid: str) -> None:
        """Take what the report of an item brings; the picture of a rerun replaces the one before it."""
        self._pictures.pop(nodeid, None)
        name, picture = getattr(report, "refinery_picture", ("", None))
        if picture is not None:
            self._by_name[name] = picture
        if name in self._by_name:
            self._pictures[nodeid] = self._by_name[name]
        trace = getattr(report, "refinery_trace", None)
        if trace is not None:
            self.traces[nodeid] = trace
        self.take_spent(getattr(report, "refinery_spent", ()))

    def take_spent(self, spent: Iterable[Sequence[float]]) -> None:
        """Take what was spent when, as an pictures keeps it."""
        self._spendings += (Spending(at, int(tokens)) for at, tokens in spent)

    def kept(self, *, limit: Callable[[], int]) -> Kept:
        """Return what the page shows beside the records; ``limit`` says the tokens per minute, where any were spent."""
        return Kept(self._pictures, tuple(self._spendings), limit() if self._spendings else None)
