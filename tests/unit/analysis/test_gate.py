"""Whether a run is worse than its baseline: labels, verdicts, and how often chance alone fails it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysis import gate, history
from pytest_refinery.analysis.gate import Baseline
from pytest_refinery.analysis.records import AgentRecord, Change, GateVerdict, ItemRecord, Outcome, TrialRecord
from tests.unit.analysis.test_records import make_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.history import Past
    from pytest_refinery.analysis.records import FailOn, Gate

ALPHA = 0.05


def tried(name: str, passed: int, trials: int, *, wanted: int = 1) -> ItemRecord:
    outcomes = [Outcome.PASSED] * passed + [Outcome.FAILED] * (trials - passed)
    agent = AgentRecord(
        target="shop:agent",
        wanted=wanted,
        shown=1,
        trials=tuple(TrialRecord(number=n, outcome=outcome) for n, outcome in enumerate(outcomes, start=1)),
    )
    outcome = Outcome.PASSED if passed >= wanted else Outcome.FAILED
    return make_item(name, outcome).model_copy(update={"agent": agent})


def compared(before: list[ItemRecord], now: list[ItemRecord]) -> tuple[tuple[ItemRecord, ...], Past]:
    past = history.remembered(before, None)
    return gate.changes(now, Baseline(past, alpha=ALPHA)), past


def decided(items: Sequence[ItemRecord], past: Past, fail_on: FailOn = "regression") -> Gate:
    found = gate.decide(items, Baseline(past, fail_on=fail_on, alpha=ALPHA))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (make_item("a", Outcome.PASSED), make_item("a", Outcome.FAILED), Change.NEW_FAILURE),
        (make_item("a", Outcome.FAILED), make_item("a", Outcome.FAILED), Change.STILL_FAILING),
        (make_item("a", Outcome.FAILED), make_item("a", Outcome.PASSED), Change.FIXED),
        (make_item("a", Outcome.PASSED), make_item("a", Outcome.PASSED), None),
        (make_item("b", Outcome.PASSED), make_item("a", Outcome.PASSED), Change.NEW),
        (make_item("a", Outcome.PASSED), make_item("a", Outcome.UNDECIDED), None),
        (tried("a", 1, 1), tried("a", 0, 1), Change.NEW_FAILURE),
        (tried("a", 5, 5, wanted=5), tried("a", 4, 5, wanted=5), Change.FLAKY),
        (tried("a", 5, 5, wanted=5), tried("a", 0, 5, wanted=5), Change.NEW_FAILURE),
        (tried("a", 1, 5, wanted=5), tried("a", 5, 5, wanted=5), Change.FIXED),
    ],
)
def test_each_expectation_stands_beside_the_baseline(
    before: ItemRecord, now: ItemRecord, change: Change | None
) -> None:
    (found,), _ = compared([before], [now])
    assert found.change == change


def test_a_failure_of_the_baseline_is_no_new_one() -> None:
    items, past = compared([make_item("a", Outcome.FAILED)], [make_item("a", Outcome.FAILED)])
    found = decided(items, past, "new")
    assert (found.verdict, gate.excused(items, found)) == (GateVerdict.PASS, frozenset({items[0].nodeid}))


def test_checks_of_a_recorded_trace_leave_nothing_to_chance() -> None:
    items, past = compared([make_item("a", Outcome.PASSED)], [make_item("a", Outcome.FAILED)])
    found = decided(items, past)
    assert (found.verdict, found.why) == (GateVerdict.FAIL, f"Beyond chance: {items[0].nodeid}.")


def test_one_run_of_an_agent_proves_nothing_and_says_what_would() -> None:
    items, past = compared([tried("a", 1, 1)], [tried("a", 0, 1)])
    found = decided(items, past)
    assert (found.verdict, found.more_trials) == (GateVerdict.INCONCLUSIVE, 3)
    assert gate.excused(items, found) == {items[0].nodeid}


def test_many_single_runs_that_turn_are_beyond_chance_together() -> None:
    names = [str(number) for number in range(6)]
    items, past = compared([tried(name, 1, 1) for name in names], [tried(name, 0, 1) for name in names])
    assert decided(items, past).verdict is GateVerdict.FAIL


def test_a_rate_that_drops_fails_though_the_item_passes() -> None:
    items, past = compared([tried("a", 20, 20)], [tried("a", 8, 20)])
    assert items[0].outcome is Outcome.PASSED
    assert decided(items, past).verdict is GateVerdict.FAIL


def test_a_run_that_is_no_worse_fails_as_seldom_as_was_asked() -> None:
    chance = random.Random(7)  # noqa: S311  (a simulation)

    def run() -> list[ItemRecord]:
        return [
            tried(str(number), sum(chance.random() < rate for _ in range(trials)), trials, wanted=trials)
            for number, (rate, trials) in enumerate([(0.9, 1)] * 6 + [(0.8, 5)] * 4)
        ]

    gates = 400
    failed = 0
    for _ in range(gates):
        items, past = compared(run(), run())
        failed += decided(items, past).verdict is GateVerdict.FAIL
    # Three standard deviations above what was asked.
    assert failed <= gates * ALPHA + 3 * (gates * ALPHA * (1 - ALPHA)) ** 0.5
