"""Whether a run is worse than a baseline, and whether that may be chance. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_refinery.analysis import history, statistics
from pytest_refinery.analysis.records import Change, Gate, GateVerdict, Outcome
from pytest_refinery.analysis.schemas import Trials

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_refinery.analysis.history import Past
    from pytest_refinery.analysis.records import FailOn, ItemRecord

_MOST_TRIALS = 1000


@dataclass(frozen=True)
class Baseline:
    """What a run is compared with, and which of its failures fail it.

    Attributes:
        past: The earlier run.
        alpha: How often a run that is no worse may fail by chance.
        is_whole: Whether all of the suite was selected; else what only the earlier run has may still be there.
    """

    past: Past
    fail_on: FailOn = "any"
    alpha: float = 0.05
    is_whole: bool = True

    def seen_from(self, items: Iterable[ItemRecord]) -> Baseline:
        """Return the baseline with the node ids of a run that may have been started in another folder."""
        return replace(self, past=self.past.seen_from(item.nodeid for item in items))


@dataclass(frozen=True)
class _Drop:
    """A pass rate that may have dropped: how likely that is by chance, and how unlikely it could have looked."""

    nodeids: tuple[str, ...]
    chance: Fraction
    least_chance: Fraction

    def is_proven(self, level: Fraction) -> bool:
        return self.chance <= level


def changes(items: Iterable[ItemRecord], baseline: Baseline) -> tuple[ItemRecord, ...]:
    """Return the items, each with how it stands beside the baseline."""
    level = Fraction(baseline.alpha)
    return tuple(_changed(item, baseline.past, level) for item in items)


def _changed(item: ItemRecord, past: Past, level: Fraction) -> ItemRecord:
    before = past.by_nodeid.get(item.nodeid)
    pair = (before.trials, history.counted(item)) if before else (None, None)
    found = history.change(item, past, is_beyond_chance=_differs(*pair, level))
    return item.model_copy(update={"change": found, "is_known": _is_known(item, found)})


def _is_known(item: ItemRecord, found: Change | None) -> bool | None:
    return found is Change.STILL_FAILING if item.outcome is Outcome.FAILED else None


def _differs(before: Trials | None, after: Trials | None, level: Fraction) -> bool:
    """Tell whether two pass rates differ beyond chance, in either direction; without two counts there is no chance."""
    if before is None or after is None:
        return before is after
    return min(statistics.chance_of_more(before, after), statistics.chance_of_more(after, before)) <= level


def decide(items: Sequence[ItemRecord], baseline: Baseline) -> Gate | None:
    """Return the verdict on a run whose items carry their changes, ``None`` where any failure fails it.

    With ``new`` each failure that the baseline does not have fails the gate. With ``regression`` only what chance does
    not explain: an expectation on a recorded trace that failed its checks, or pass rates that dropped, item by item
    (Fisher's exact test) and over the suite (sign test), at a joint level of ``alpha`` for all these tests (Tarone
    1990, which leaves out of Bonferroni's correction what no count could have proven).
    """
    past, alpha, fail_on = baseline.past, baseline.alpha, baseline.fail_on
    if fail_on == "any":
        return None
    failed = [item for item in items if item.outcome is Outcome.FAILED]
    if fail_on == "new":
        worse = [item for item in failed if item.change is not Change.STILL_FAILING]
        why = f"Failures that {past.name} does not have: {_names(worse)}." if worse else ""
        return Gate(fail_on=fail_on, verdict=GateVerdict.FAIL if worse else GateVerdict.PASS, why=why, alpha=alpha)
    drops = list(_drops(items, past))
    level = _level(drops, Fraction(alpha))
    proven = [drop for drop in drops if drop.is_proven(level)]
    certain = tuple(
        item.nodeid for item in failed if item.change is Change.NEW_FAILURE and history.counted(item) is None
    )
    lost = tuple(dict.fromkeys((*certain, *(each for drop in proven for each in drop.nodeids))))
    if lost:
        p_value = float(min((drop.chance for drop in proven), default=Fraction(0)))
        why = f"Beyond chance: {_listed(lost)}."
        return Gate(fail_on=fail_on, verdict=GateVerdict.FAIL, why=why, alpha=alpha, p_value=p_value)
    doubtful = [item for item in items if _is_worse(item, past)]
    if not doubtful:
        return Gate(fail_on=fail_on, verdict=GateVerdict.PASS, alpha=alpha)
    needed = [more for item in doubtful if (more := _more_trials(item, past, level)) is not None]
    return Gate(
        fail_on=fail_on,
        verdict=GateVerdict.INCONCLUSIVE,
        why=f"Worse than {past.name}, which may be chance: {_names(doubtful)}.",
        alpha=alpha,
        p_value=float(min((drop.chance for drop in drops), default=Fraction(1))),
        more_trials=min(needed, default=None),
    )


def excused(items: Iterable[ItemRecord], gate: Gate) -> frozenset[str]:
    """Return the failed items that do not fail the run."""
    if gate.fail_on == "new":
        return frozenset(item.nodeid for item in items if item.change is Change.STILL_FAILING)
    if gate.fail_on == "regression" and gate.verdict is not GateVerdict.FAIL:
        return frozenset(item.nodeid for item in items if item.outcome is Outcome.FAILED)
    return frozenset()


def _drops(items: Sequence[ItemRecord], past: Past) -> Iterable[_Drop]:
    better = 0
    worse: list[str] = []
    for item in items:
        before, after = _counts(item, past)
        if before is None or after is None:
            continue
        if before.trials > 1 or after.trials > 1:
            most = min(before.passed + after.passed, before.trials)
            rest = Trials(passed=before.passed + after.passed - most, trials=after.trials)
            extreme = statistics.chance_of_more(rest, Trials(passed=most, trials=before.trials))
            yield _Drop((item.nodeid,), statistics.chance_of_more(after, before), extreme)
        moved = Fraction(after.passed, after.trials) - Fraction(before.passed, before.trials)
        better += moved > 0
        worse += [item.nodeid] if moved < 0 else []
    if better or worse:
        chance = statistics.chance_of_worse(better, len(worse))
        yield _Drop(tuple(worse), chance, statistics.chance_of_worse(0, better + len(worse)))


def _counts(item: ItemRecord, past: Past) -> tuple[Trials | None, Trials | None]:
    before = past.by_nodeid.get(item.nodeid)
    return (before.trials if before else None), history.counted(item)


def _level(drops: Sequence[_Drop], alpha: Fraction) -> Fraction:
    """Return the level for each test that keeps ``alpha`` for all of them (Tarone 1990)."""
    for tests in range(1, len(drops) + 1):
        if sum(drop.least_chance <= alpha / tests for drop in drops) <= tests:
            return alpha / tests
    return alpha


def _is_worse(item: ItemRecord, past: Past) -> bool:
    before, after = _counts(item, past)
    if before is None or after is None:
        return False
    return Fraction(after.passed, after.trials) < Fraction(before.passed, before.trials)


def _more_trials(item: ItemRecord, past: Past, level: Fraction) -> int | None:
    """Return how many trials of both runs would decide at these rates, ``None`` where a thousand would not."""
    before, after = _counts(item, past)
    if before is None or after is None:
        return None
    for trials in range(max(before.trials, after.trials) + 1, _MOST_TRIALS + 1):
        was, now = (Trials(passed=round(Fraction(e.passed * trials, e.trials)), trials=trials) for e in (before, after))
        if statistics.chance_of_more(now, was) <= level:
            return trials
    return None


_NAMED = 3


def _names(items: Iterable[ItemRecord]) -> str:
    return _listed(tuple(item.nodeid for item in items))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
