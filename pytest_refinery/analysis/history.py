"""What an earlier run found, and how each expectation stands beside it. Pure: files and caches are others' job.

Expectations are compared by their outcomes, never by the words of a diagnosis: another analyst words a cause otherwise.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_refinery.analysis.frozen import Frozen
from pytest_refinery.analysis.records import Change, Outcome, RootCause
from pytest_refinery.analysis.schemas import SCHEMA_VERSION, Trials
from pytest_refinery.errors import RefineryError

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable

    from pytest_refinery.analysis.records import ItemRecord


class ForeignReportError(RefineryError):
    """What should be an earlier report is something else."""


class PastItem(Frozen):
    """How one expectation came out in an earlier run, and why it failed as far as that was found.

    ``trials`` is ``None`` where chance plays no part: a recorded trace, judged by checks.
    """

    nodeid: str
    outcome: Outcome
    trials: Trials | None = None
    failure_type: str = ""
    cause: str = ""


class Past(Frozen):
    """The items of an earlier run, and how to call that run."""

    schema_version: int = SCHEMA_VERSION
    name: str = "the last run"
    items: tuple[PastItem, ...] = ()

    @cached_property
    def by_nodeid(self) -> dict[str, PastItem]:
        """The items by their node id."""
        return {item.nodeid: item for item in self.items}

    def seen_from(self, nodeids: Iterable[str]) -> Past:
        """Return the past with the node ids that a run in another folder gives to the same expectations.

        Without an ini file pytest counts them from where it was started, so that all of them begin otherwise.
        """
        now = frozenset(nodeids)
        if not now.isdisjoint(self.by_nodeid):
            return self
        more, less = _folder(self.by_nodeid, before=now), _folder(now, before=self.by_nodeid)
        items = (
            item.model_copy(update={"nodeid": item.nodeid.removeprefix(more) if more else f"{less}{item.nodeid}"})
            for item in self.items
        )
        # Not a copy, which would take ``by_nodeid`` along.
        return Past(schema_version=self.schema_version, name=self.name, items=tuple(items))


def _folder(nodeids: Iterable[str], *, before: Container[str]) -> str:
    """Return what stands most often before one of the node ids ``before``; nothing where nothing does."""
    found = Counter(
        nodeid[: place + 1]
        for nodeid in nodeids
        for place, character in enumerate(_file(nodeid))
        if character == "/" and nodeid[place + 1 :] in before
    )
    return next((folder for folder, _ in found.most_common(1)), "")


class _Trial(Frozen):
    outcome: Outcome


class _Agent(Frozen):
    trials: tuple[_Trial, ...] = ()


class _Judge(Frozen):
    met: int = 0
    not_met: int = 0


class _Diagnosis(Frozen):
    failure_type: str | None
    cause: str = ""
    root_cause: str | None = None


class _Item(Frozen):
    """As much of an ``ItemRecord`` of any version as is compared."""

    nodeid: str
    outcome: Outcome
    agent: _Agent | None = None
    judge: _Judge | None = None
    diagnosis: _Diagnosis | None = None


class _Report(Frozen):
    schema_version: int
    expectations: tuple[_Item, ...]


def remembered(items: Iterable[ItemRecord], before: Past | None) -> Past:
    """Return what the next run should know: of items that were not decided now, what the run ``before`` knew."""
    now = {item.nodeid: item for item in map(_past_item, items) if item.outcome in _DECIDED}
    kept = [item for item in (before.items if before else ()) if item.nodeid not in now]
    return Past(items=(*kept, *now.values()))


_DECIDED = frozenset({Outcome.PASSED, Outcome.FAILED})


def _past_item(item: ItemRecord | _Item) -> PastItem:
    found = item.diagnosis if item.diagnosis is not None and item.diagnosis.failure_type is not None else None
    return PastItem(
        nodeid=item.nodeid,
        outcome=item.outcome,
        trials=counted(item),
        failure_type=str(found.failure_type) if found else "",
        cause=(found.cause or found.root_cause or "") if found else "",
    )


def counted(item: ItemRecord | _Item) -> Trials | None:
    """Return how many trials met it, ``None`` where chance plays no part: a recorded trace that checks decide."""
    if item.agent is not None:
        outcomes = [trial.outcome for trial in item.agent.trials]
        return Trials.of(outcomes.count(Outcome.PASSED), outcomes.count(Outcome.FAILED))
    return Trials.of(item.judge.met, item.judge.not_met) if item.judge is not None else None


def read_cached(content: object) -> Past | None:
    """Return what a run left in a cache, ``None`` where it cannot be read."""
    try:
        found = Past.model_validate(content)
    except ValidationError:
        return None
    return found if found.schema_version <= SCHEMA_VERSION else None


def read_report(text: str, *, name: str) -> Past:
    """Return the items in the text of a ``report.json``, which is called ``name``.

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
    return Past(name=name, items=tuple(map(_past_item, found.expectations)))


def change(item: ItemRecord, past: Past, *, is_beyond_chance: bool) -> Change | None:
    """Return how an item stands beside the past, ``None`` where it passes as before or is not decided.

    Where trials come out both ways and do not differ beyond chance, the item is flaky.
    """
    before = past.by_nodeid.get(item.nodeid)
    if item.outcome not in _DECIDED:
        return None
    if before is None or before.outcome not in _DECIDED:
        return Change.NEW
    if item.outcome is before.outcome:
        return Change.STILL_FAILING if item.outcome is Outcome.FAILED else None
    if not is_beyond_chance and any(each and 0 < each.passed < each.trials for each in (before.trials, counted(item))):
        return Change.FLAKY
    return Change.NEW_FAILURE if item.outcome is Outcome.FAILED else Change.FIXED


def missing(items: Collection[ItemRecord], past: Past) -> tuple[str, ...]:
    """Return the node ids of the past that this run does not have any more, of the files that it ran."""
    now = {item.nodeid for item in items}
    files = {_file(nodeid) for nodeid in now}
    return tuple(each.nodeid for each in past.items if each.nodeid not in now and _file(each.nodeid) in files)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def fixed_causes(items: Iterable[ItemRecord], past: Past) -> tuple[RootCause, ...]:
    """Return the causes of the past of which every expectation passes now."""
    passing = {item.nodeid for item in items if item.outcome is Outcome.PASSED}
    groups: dict[tuple[str, str], list[PastItem]] = {}
    for before in past.items:
        if before.cause:
            groups.setdefault((before.failure_type, " ".join(before.cause.casefold().split())), []).append(before)
    return tuple(
        RootCause(cause=group[0].cause, failure_type=group[0].failure_type, nodeids=tuple(one.nodeid for one in group))
        for group in groups.values()
        if passing.issuperset(one.nodeid for one in group)
    )
