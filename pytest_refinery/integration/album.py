"""What the page shows beside the records: the traces of failed items, from where they are to where it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.records import ItemRecord, Report

_ENDS_THE_RUN = (KeyboardInterrupt, SystemExit, pytest.exit.Exception)


class Album:
    """Draws a picture of an item's trace and keeps it until the item's report takes it along.

    Args:
        is_wanted: Whether there will be a page; without one nothing is drawn.
    """

    def __init__(self, *, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._pictures: dict[str, str] = {}

    def draw(self, record: ItemRecord, case: Case) -> None:
        """Draw the trace of a failed item."""
        self._pictures.pop(record.nodeid, None)
        if not self._is_wanted:
            return
        try:
            self._pictures[record.nodeid] = _picture(record, case)
        except _ENDS_THE_RUN:
            raise
        except BaseException:  # noqa: BLE001  (pytest-timeout raises anywhere; the item stands without a picture)
            return

    def to_report(self, report: pytest.TestReport) -> None:
        """Let the report that carries the item's record take its picture along: text, which xdist ships quickly."""
        if hasattr(report, "refinery") and report.nodeid in self._pictures:
            cast("Any", report).refinery_picture = self._pictures.pop(report.nodeid)


class Gallery:
    """Gathers the pictures that reports bring, on the controller."""

    def __init__(self) -> None:
        self._pictures: dict[str, str] = {}

    def take(self, report: pytest.TestReport) -> None:
        """Take the picture of an item; that of a rerun replaces the one before it."""
        self._pictures.pop(report.nodeid, None)
        picture = getattr(report, "refinery_picture", None)
        if picture is not None:
            self._pictures[report.nodeid] = picture

    def page(self, report: Report) -> str:
        """Return the page about ``report``."""
        # The template engine loads only where a page is written.
        from pytest_refinery.reports.page.render import render

        return render(report, pictures=self._pictures)


def _picture(record: ItemRecord, case: Case) -> str:
    from pytest_refinery.analysis import pictures

    evidence = (
        *(record.diagnosis.evidence if record.diagnosis else ()),
        *(record.judge.quotes if record.judge else ()),
    )
    picture = pictures.draw(case.trace, quotes=[each.quote for each in evidence])
    return picture.model_dump_json(exclude_defaults=True)
