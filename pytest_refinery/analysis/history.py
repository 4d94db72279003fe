"""What an earlier run found, and what of it is still there. Pure: files and caches are others' job.

A failure is known where the earlier run had one of the same kind and the same words for its cause, or where the same
expectation failed for the same kind of reason in a run of the same name: a model words a cause again each time.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_refinery.analysis.frozen import Frozen
from pytest_refinery.analysis.records import Outcome, RootCause
from pytest_refinery.analysis.schemas import SCHEMA_VERSION
from pytest_refinery.errors import RefineryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_refinery.analysis.records import ItemRecord


class ForeignReportError(RefineryError):
    """What should be an earlier report is something else."""


class PastFailure(Frozen):
    """One diagnosed failure of an earlier run; ``run`` is the name of the responsible run."""

    nodeid: str
    failure_type: str
    cause: str
    run: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What is the same for all failures of one cause."""
        return self.failure_type, " ".join(self.cause.casefold().split())

    @property
    def place(self) -> tuple[str, str, str | None]:
        """What is the same where an expectation fails again as it did."""
        return self.nodeid, self.failure_type, self.run


class Past(Frozen):
    """The failures of an earlier run, and how to call that run."""

    schema_version: int = SCHEMA_VERSION
    name: str = "the last run"
    failures: tuple[PastFailure, ...] = ()

    @cached_property
    def _marks(self) -> frozenset[tuple[str | None, ...]]:
        return frozenset(mark for failure in self.failures for mark in (failure.key, failure.place))

    def knows(self, failure: PastFailure) -> bool:
        """Tell whether one of its failures had the same cause, as far as code can tell."""
        return failure.key in self._marks or failure.place in self._marks


class _Diagnosis(Frozen):
    failure_type: str | None
    cause: str = ""
    root_cause: str | None
    responsible_run_name: str | None = None


class _Item(Frozen):
    nodeid: str
    diagnosis: _Diagnosis | None = None


class _Report(Frozen):
    schema_version: int
    expectations: tuple[_Item, ...]


def failure_of(item: ItemRecord | _Item) -> PastFailure | None:
    """Return what the next run should know of an item, ``None`` where no cause was found."""
    found = item.diagnosis
    if found is None or found.failure_type is None or not (words := found.cause or found.root_cause):
        return None
    return PastFailure(
        nodeid=item.nodeid,
        failure_type=str(found.failure_type),
        cause=words,
        run=found.responsible_run_name,
    )


def remembered(items: Iterable[ItemRecord], before: Past | None) -> Past:
    """Return what the next run should know: of items that were not decided now, what the run ``before`` knew."""
    items = tuple(items)
    settled = _settled(items)
    kept = [failure for failure in (before.failures if before else ()) if failure.nodeid not in settled]
    return Past(failures=(*kept, *filter(None, map(failure_of, items))))


def _settled(items: Iterable[ItemRecord]) -> set[str]:
    """Return the items of which this run knows whether and why they fail."""
    return {item.nodeid for item in items if item.outcome == Outcome.PASSED or failure_of(item)}


def read_cached(content: object) -> Past | None:
    """Return what a run left in a cache, ``None`` where it cannot be read."""
    try:
        found = Past.model_validate(content)
    except ValidationError:
        return None
    return found if found.schema_version <= SCHEMA_VERSION else None


def read_report(text: str, *, name: str) -> Past:
    """Return the failures in the text of a ``report.json``, which is called ``name``.

    Raises:
        ForeignReportError: It is no report, or one of a later version.
    """
    try:
        found = _Report.model_validate_json(text)
    except ValidationError as error:
        msg = f"{name} is not a report of pytest-refinery, so nothing was compared with it"
        raise ForeignReportError(msg) from error
    if found.schema_version > SCHEMA_VERSION:
        known = f"schema_version {found.schema_version}, later than our {SCHEMA_VERSION}"
        msg = f"{name} has {known}, so nothing was compared with it"
        raise ForeignReportError(msg)
    return Past(name=name, failures=tuple(filter(None, map(failure_of, found.expectations))))


def is_known(item: ItemRecord, past: Past) -> bool | None:
    """Tell whether the cause of a failure was there before; ``None`` for an item without a diagnosis."""
    failure = failure_of(item)
    return None if failure is None else past.knows(failure)


def gone(items: Iterable[ItemRecord], past: Past) -> tuple[RootCause, ...]:
    """Return the causes of the past that no failure has any more, where all of their expectations were run."""
    items = tuple(items)
    now = Past(failures=tuple(filter(None, map(failure_of, items))))
    settled = _settled(items)
    groups: dict[tuple[str, str], list[PastFailure]] = {}
    for before in past.failures:
        groups.setdefault(before.key, []).append(before)
    return tuple(
        RootCause(cause=group[0].cause, failure_type=group[0].failure_type, nodeids=tuple(one.nodeid for one in group))
        for group in groups.values()
        if settled.issuperset(one.nodeid for one in group) and not any(map(now.knows, group))
    )
