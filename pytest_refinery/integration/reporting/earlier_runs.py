"""What earlier runs found: in pytest's cache, or in the report that the folder of this one still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis import history

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from pytest_refinery.analysis.history import Past
    from pytest_refinery.analysis.records import ItemRecord

_KEY = "refinery/failures"


class EarlierRuns:
    """The run that this one is compared with: that of the report in ``folder`` if there is one, else the last one.

    Args:
        shown: How to call the folder.
    """

    def __init__(self, config: pytest.Config, folder: Path | None, *, shown: str = "") -> None:
        self._cache: pytest.Cache | None = getattr(config, "cache", None)
        self._report = folder / "report.json" if folder else None
        self._shown = f"the earlier {shown}/report.json"

    def to_compare(self) -> Past | None:
        """Return what is known of that run, ``None`` where there was none.

        Raises:
            ForeignReportError: The folder holds a ``report.json`` that cannot be used.
        """
        if self._report is None or not self._report.is_file():
            return self._last()
        try:
            content = self._report.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            msg = f"{self._shown} cannot be read ({error.strerror}), so nothing was compared with it"
            raise history.ForeignReportError(msg) from error
        return history.read_report(content, name=self._shown)

    def remember(self, items: Iterable[ItemRecord]) -> None:
        """Keep what the next run should know; a worker or a run without a cache keeps nothing."""
        if self._cache is not None:
            known = history.remembered(items, self._last())
            self._cache.set(_KEY, known.model_dump(mode="json"))

    def _last(self) -> Past | None:
        content = self._cache.get(_KEY, None) if self._cache else None
        return None if content is None else history.read_cached(content)
