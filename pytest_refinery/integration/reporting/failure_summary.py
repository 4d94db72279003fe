"""What a model says of all failures together, once at the end of a run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_refinery.analysis import overview
from pytest_refinery.analysis.job import TimedJob
from pytest_refinery.analysis.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_refinery.analysis.overview import Telling
    from pytest_refinery.analysis.ports import Summariser
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.integration.reporting.progress import Progress

_KEY = "refinery/summary"


class Summarizer:
    """Asks a summariser, or finds in pytest's cache what it said of the same failures."""

    def __init__(self, config: pytest.Config, progress: Progress, *, seconds: float) -> None:
        self._cache: pytest.Cache | None = getattr(config, "cache", None)
        self._progress = progress
        self._seconds = seconds

    def tell(self, summariser: Summariser, failures: Sequence[ItemRecord]) -> Telling:
        """Return what the failures have in common."""
        key = _key(summariser, failures)
        kept = self._kept(key)
        if kept is not None:
            return overview.recalled(summariser.model, kept)
        with self._progress.about("summary"):
            self._progress.show(f"what {len(failures)} failures have in common")
            telling = overview.tell(summariser, failures, TimedJob(self._seconds))
        if self._cache is not None and telling.overview is not None:
            self._cache.set(_KEY, {"key": key, "overview": telling.overview.model_dump(mode="json")})
        return telling

    def _kept(self, key: str) -> Overview | None:
        kept = self._cache.get(_KEY, None) if self._cache else None
        if not isinstance(kept, dict) or kept.get("key") != key:
            return None
        try:
            return Overview.model_validate(kept.get("overview"))
        except ValidationError:
            return None


def _key(summariser: Summariser, failures: Sequence[ItemRecord]) -> str:
    known = [summariser.model, summariser.fingerprint, *(_content(item) for item in failures)]
    return hashlib.sha256("\n".join(known).encode("utf-8", "replace")).hexdigest()


def _content(item: ItemRecord) -> str:
    said = item.diagnosis.model_dump_json(exclude={"stages", "cached", "notes"}) if item.diagnosis else ""
    return f"{item.nodeid} {item.expectation.model_dump_json()} {said}"
