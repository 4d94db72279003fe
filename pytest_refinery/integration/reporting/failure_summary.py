"""What a model says of all failures together, once at the end of a run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_refinery.analysis import plans, shared_causes
from pytest_refinery.analysis.diagnosis_job import TimedJob
from pytest_refinery.analysis.ports import FailureSummarizer
from pytest_refinery.analysis.records import GroupedFailures

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_refinery.analysis.records import ItemRecord, PlanRecord, SummaryResult
    from pytest_refinery.integration.reporting.progress import Progress
    from pytest_refinery.settings import Settings
    from pytest_refinery.wiring import Services

_KEY = "refinery/summary"


class Summarizer:
    """Asks a summarizer, or finds in pytest's cache what it said of the same failures."""

    def __init__(self, config: pytest.Config, settings: Settings, progress: Progress) -> None:
        self._cache: pytest.Cache | None = getattr(config, "cache", None)
        self._settings = settings
        self._progress = progress

    def run(self, services: Services, failures: Sequence[ItemRecord]) -> SummaryResult | None:
        """Return what the failures have in common, ``None`` where no model is to be asked.

        Where traffic is recorded or replayed none is: there is no cassette of a session.
        """
        summarizer, settings = services.analyst, self._settings
        if not isinstance(summarizer, FailureSummarizer) or settings.plan or settings.record != "auto":
            return None
        return self._ask(summarizer, failures)

    def _ask(self, summarizer: FailureSummarizer, failures: Sequence[ItemRecord]) -> SummaryResult:
        key = _key(summarizer, failures)
        kept = self._kept(key)
        if kept is not None:
            return shared_causes.recalled(summarizer.model, kept)
        with self._progress.about("summary"):
            self._progress.show(f"what {len(failures)} failures have in common")
            result = shared_causes.ask(
                summarizer, failures, TimedJob(self._settings.timeout, max_wait=self._settings.max_wait)
            )
        if self._cache is not None and result.grouped is not None:
            self._cache.set(_KEY, {"key": key, "overview": result.grouped.model_dump(mode="json")})
        return result

    def _kept(self, key: str) -> GroupedFailures | None:
        kept = self._cache.get(_KEY, None) if self._cache else None
        if not isinstance(kept, dict) or kept.get("key") != key:
            return None
        try:
            return GroupedFailures.model_validate(kept.get("overview"))
        except ValidationError:
            return None


def plan(analyst: object, failures: int) -> PlanRecord | None:
    """Return what a summary of so many failures would cost, ``None`` where there would be none."""
    if failures < shared_causes.FEWEST or not isinstance(analyst, FailureSummarizer):
        return None
    return plans.of(analyst.forecast_summary(failures))


def _key(summarizer: FailureSummarizer, failures: Sequence[ItemRecord]) -> str:
    known = [summarizer.model, summarizer.fingerprint, *(_content(item) for item in failures)]
    return hashlib.sha256("\n".join(known).encode("utf-8", "replace")).hexdigest()


def _content(item: ItemRecord) -> str:
    said = item.diagnosis.model_dump_json(exclude={"stages", "cached", "notes"}) if item.diagnosis else ""
    return f"{item.nodeid} {item.expectation.model_dump_json()} {said}"
