from __future__ import annotations

import pytest

from pytest_refinery.analysis.schemas import Confidence
from pytest_refinery.analysts.rules import confidence


@pytest.mark.parametrize(
    ("right", "fired", "expected"),
    [
        (20, 20, Confidence.HIGH),
        (17, 17, Confidence.HIGH),
        (19, 20, Confidence.HIGH),
        (13, 15, Confidence.MEDIUM),
        (9, 9, Confidence.MEDIUM),
        (16, 20, Confidence.MEDIUM),
        (9, 20, Confidence.LOW),
        (4, 4, Confidence.LOW),
    ],
)
def test_high_is_kept_for_counts_that_a_lucky_draw_does_not_explain(
    right: int, fired: int, expected: Confidence
) -> None:
    sure, basis = confidence.of("some_rule", {"some_rule": {"one set": (right, fired)}}, is_team=False)

    assert sure == expected
    assert f"{fired} measured cases" in basis


def test_a_rule_that_is_weak_on_one_set_is_never_high() -> None:
    counts = {"some_rule": {"one set": (60, 60), "another": (2, 5)}}

    assert confidence.of("some_rule", counts, is_team=False)[0] == Confidence.MEDIUM


def test_a_led_team_is_never_high() -> None:
    counts = {"some_rule": {"hand-crafted team": (30, 30)}}

    assert confidence.of("some_rule", counts, is_team=True, is_led=True)[0] == Confidence.MEDIUM
