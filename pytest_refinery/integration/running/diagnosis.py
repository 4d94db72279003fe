"""The diagnosis of a failed item: within the limits of the run, from the cache, or made now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_refinery import wiring
from pytest_refinery.errors import AnalysisError, RefineryError
from pytest_refinery.integration.item_records import ENDS_THE_RUN, stable_nodeid
from pytest_refinery.integration.workers import DiagnosisLimit, shared_folder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pytest

    from pytest_refinery.analysis.engine import Analysis
    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.integration.running.item_cassette import ItemCassette
    from pytest_refinery.settings import Settings
    from pytest_refinery.wiring import Services

PLANNING = "--refinery-plan spends nothing"


class Display(Protocol):
    """Shows what is being done."""

    def about(self, nodeid: str) -> AbstractContextManager[None]:
        """Let what is shown inside be about an item."""
        ...

    def show(self, words: str) -> None:
        """Show what is being done now."""
        ...

    def show_time_left(self, left: str) -> None:
        """Show how many failures are diagnosed, and how long the others take."""
        ...

    def count_begun(self) -> None:
        """Count a failure whose diagnosis is begun."""
        ...

    def count_made(self) -> None:
        """Count a diagnosis that is made."""
        ...


class Diagnoses:
    """Makes the diagnoses of one process."""

    def __init__(self, config: pytest.Config, settings: Settings, display: Display) -> None:
        self._settings = settings
        self._display = display
        self._limit = DiagnosisLimit(settings.max_diagnoses, folder=shared_folder(config))

    def explain(
        self, item: pytest.Item, record: ItemRecord, case: Case, services: Services, cassette: ItemCassette
    ) -> ItemRecord:
        """Return the record of a failed item with its diagnosis, or with why there is none."""
        if not self._settings.diagnose:
            return record
        found = services.cache.diagnosis(case) if services.cache else None
        if found is not None:
            return _with_diagnosis(item, record, found)
        if self._settings.plan and not services.is_replaying:
            return _planned(record, case, services, replays=self._settings.replay)
        if not self._limit.take():
            limit = f"the limit of --refinery-max-diagnoses {self._settings.max_diagnoses} is reached"
            return record.model_copy(update={"error": f"Not diagnosed: {limit}."})
        # A test has cassettes of its own, which are open still.
        with self._display.about(record.nodeid), wiring.in_front_of_other_cassettes():
            self._display.count_begun()
            found, error = _diagnose(case, services, cassette)
        if cassette.faults:
            found, error = None, f"No diagnosis: {cassette.faults[0]}"
        if found is None:
            return record.model_copy(update={"error": error})
        self._display.count_made()
        if services.cache:
            services.cache.store_diagnosis(case, found)
        return _with_diagnosis(item, record, found)


def _planned(record: ItemRecord, case: Case, services: Services, *, replays: int | None) -> ItemRecord:
    from pytest_refinery.analysis import plans
    from pytest_refinery.verification import replay

    forecast = services.engine.forecast(case)
    plan = plans.of(forecast) if forecast else None
    if plan and replays:
        plan = plans.total([plan, plans.of(replay.forecast(case.trace, replays))])
    return record.model_copy(update={"plan": plan, "error": f"Not diagnosed: {PLANNING}."})


def _with_diagnosis(item: pytest.Item, record: ItemRecord, found: Diagnosis) -> ItemRecord:
    return record.model_copy(update={"diagnosis": found, "error": _notify_hooks(item, found) or record.error})


def _notify_hooks(item: pytest.Item, diagnosis: Diagnosis) -> str | None:
    try:
        item.ihook.pytest_refinery_diagnosed(nodeid=stable_nodeid(item), diagnosis=diagnosis)
    except Exception as error:  # noqa: BLE001  (somebody else's hook; the item has failed for another reason)
        return f"The hook pytest_refinery_diagnosed failed: {type(error).__name__}: {error}"
    return None


def _diagnose(case: Case, services: Services, cassette: ItemCassette) -> tuple[Diagnosis | None, str | None]:
    analysis: Analysis | None = None
    try:
        analysis = services.engine.begin(case)
        found = analysis.finish()
    except ENDS_THE_RUN:
        raise
    except RefineryError as nothing:
        return None, f"No diagnosis: {str(nothing).rstrip('.')}."
    except BaseException as error:  # noqa: BLE001  (whatever happens here, the outcome of the item stands)
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        if analysis is None:
            return None, f"No diagnosis: {why}"
        # pytest-timeout raises here, in the middle of the stages.
        cassette.discard(f"the diagnosis was cut short ({why})")
        return _cut_short(analysis, f"cut short ({why})")
    if analysis.ran_out_of_time:
        cassette.discard("the diagnosis was not finished in time (--refinery-timeout)")
    return found, None


def _cut_short(analysis: Analysis, why: str) -> tuple[Diagnosis | None, str | None]:
    try:
        return analysis.so_far(why), None
    except AnalysisError as nothing:
        return None, f"No diagnosis: {nothing}."
