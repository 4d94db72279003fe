"""The traces that re-run agents left with an earlier report, to say where a new one parts from them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pytest_refinery.analysis import divergence, history
from pytest_refinery.analysis.records import Outcome
from pytest_refinery.errors import RefineryError
from pytest_refinery.reports import baselines

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_refinery.analysis.divergence import Divergence
    from pytest_refinery.settings import Settings
    from pytest_refinery.traces.model import Trace
    from pytest_refinery.traces.source import TraceSource


class EarlierTraces:
    """Those of the baseline that was named, else of the report that this run will replace."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._root = config.rootpath
        self._current = config.invocation_params.dir
        self._settings = settings

    def divergence(self, nodeid: str, trace: Trace, source: TraceSource) -> Divergence | None:
        """Return where a failed item's trace parts from the one that passed, ``None`` where none is at hand."""
        folder = self._folder
        if folder is None or nodeid not in self._passed:
            return None
        try:
            before = source.load(baselines.trace_file(nodeid), base=folder)
        except RefineryError:
            return None
        return divergence.first(before, trace)

    @cached_property
    def _folder(self) -> Path | None:
        if self._settings.baseline is not None:
            return baselines.find(self._settings.baseline, root=self._root, current=self._current).parent
        return self._current / self._settings.report if self._settings.report else None

    @cached_property
    def _passed(self) -> frozenset[str]:
        if self._folder is None:
            return frozenset()
        try:
            text = (self._folder / baselines.REPORT).read_text(encoding="utf-8", errors="replace")
            found = history.read_report(text, name="")
        except (OSError, history.ForeignReportError):
            return frozenset()
        return frozenset(item.nodeid for item in found.items if item.outcome is Outcome.PASSED)
