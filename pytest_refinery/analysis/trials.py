"""The verdict on an agent that was run several times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis import verdicts
from pytest_refinery.analysis.records import AgentRecord, ItemRecord, Outcome, TrialRecord

if TYPE_CHECKING:
    from collections.abc import Sequence


def combined(trials: Sequence[ItemRecord], *, target: str, planned: int, pass_rate: float) -> ItemRecord:
    """Return the record of an item whose agent was run once for each of ``trials``.

    A trial that could not be decided counts neither way: the outcome is undecided where it might have turned it.

    Args:
        trials: The item's record as each of them alone would make it; at least one.
        target: The agent.
        planned: How often it was to be run; where there are fewer trials, the last one ended it.
        pass_rate: The share of the planned trials that must meet the expectation.
    """
    wanted = verdicts.wanted(planned, pass_rate)
    outcome = _outcome(trials, planned=planned, wanted=wanted)
    shown = next(number for number, trial in enumerate(trials, start=1) if trial.outcome == outcome)
    agent = AgentRecord(
        target=target, wanted=wanted, shown=shown, trials=tuple(map(_trial, range(1, planned + 1), trials))
    )
    error = _error(trials, planned=planned) if outcome == Outcome.UNDECIDED else None
    return trials[shown - 1].model_copy(update={"agent": agent, "error": error})


def _outcome(trials: Sequence[ItemRecord], *, planned: int, wanted: int) -> Outcome:
    met, unmet = (sum(trial.outcome == each for trial in trials) for each in (Outcome.PASSED, Outcome.FAILED))
    if len(trials) < planned:
        return trials[-1].outcome
    if met >= wanted:
        return Outcome.PASSED
    return Outcome.FAILED if planned - unmet < wanted else Outcome.UNDECIDED


def _error(trials: Sequence[ItemRecord], *, planned: int) -> str | None:
    undecided = [trial.error for trial in trials if trial.outcome == Outcome.UNDECIDED]
    if planned == 1:
        return undecided[0]
    return f"{len(undecided)} of {planned} trials could not be decided: {undecided[0]}"


def _trial(number: int, trial: ItemRecord) -> TrialRecord:
    return TrialRecord(
        number=number,
        outcome=trial.outcome,
        trace=trial.trace,
        checks=trial.checks,
        judge=trial.judge,
        error=trial.error,
    )
