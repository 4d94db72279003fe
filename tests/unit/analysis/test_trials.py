"""Several trials, one verdict."""

from __future__ import annotations

import pytest

from pytest_refinery.analysis import trials
from pytest_refinery.analysis.records import ExpectationRecord, ItemRecord, Outcome

BLANK = ItemRecord(
    nodeid="f::e",
    outcome=Outcome.UNDECIDED,
    expectation=ExpectationRecord(id="e", expect="It answers.", file="f", line=1),
)
_LETTERS = {"P": Outcome.PASSED, "F": Outcome.FAILED, "U": Outcome.UNDECIDED}


def combined(letters: str, *, planned: int = 0, pass_rate: float = 1.0) -> ItemRecord:
    each = [
        BLANK.model_copy(update={"outcome": _LETTERS[letter], "error": "why" * (letter == "U") or None})
        for letter in letters
    ]
    return trials.combined(each, target="m:a", planned=planned or len(each), pass_rate=pass_rate)


@pytest.mark.parametrize(
    ("letters", "pass_rate", "outcome", "wanted", "shown"),
    [
        ("P", 1.0, "passed", 1, 1),
        ("F", 1.0, "failed", 1, 1),
        ("PFP", 0.66, "passed", 2, 1),
        ("PFP", 2 / 3, "passed", 2, 1),
        ("PFP", 0.67, "passed", 2, 1),
        ("PFP", 1.0, "failed", 3, 2),
        ("FFP", 0.5, "failed", 2, 1),
        ("PFU", 0.66, "undecided", 2, 3),
        ("PPU", 0.66, "passed", 2, 1),
        ("FFU", 0.66, "failed", 2, 1),
        ("UUU", 0.01, "undecided", 1, 1),
        ("FFF", 0.01, "failed", 1, 1),
    ],
)
def test_the_share_decides_and_an_open_trial_counts_neither_way(
    letters: str, pass_rate: float, outcome: str, wanted: int, shown: int
) -> None:
    record = combined(letters, pass_rate=pass_rate)
    assert record.agent is not None
    assert (record.outcome, record.agent.wanted, record.agent.shown) == (outcome, wanted, shown)
    assert [trial.outcome for trial in record.agent.trials] == [_LETTERS[letter] for letter in letters]


def test_what_is_open_is_said_once_for_all() -> None:
    assert combined("U").error == "why"
    assert combined("PUU").error == "2 of 3 trials could not be decided: why"
    assert combined("PPU", pass_rate=0.6).error is None


def test_a_trial_that_used_up_the_time_decides() -> None:
    assert combined("PPF", planned=5, pass_rate=0.1).outcome == Outcome.FAILED
