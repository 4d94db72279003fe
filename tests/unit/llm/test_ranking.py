from __future__ import annotations

import math

import pytest

from pytest_refinery.analysis.schemas import Confidence, FailureType
from pytest_refinery.llm.builtin import causes, ranking
from pytest_refinery.llm.builtin.reading import Reading, Sign
from tests.unit.llm.scenes import agent, case, talk, user

WEIGHTS = ranking.Weights(features={"weak": 0.5, "strong": 3.0}, unknown=1.0, high=0.6, medium=0.3)
READING = Reading.of(case(talk(user("Go."), agent("One."), agent("Two."), agent("Three."))))


def sign(place: int, rule: str, strength: float = 1.0) -> Sign:
    return Sign(READING.steps[place], rule, "what", FailureType.PROMPT_ISSUE, "quote", strength=strength)


def test_the_probabilities_of_all_steps_add_up_to_one() -> None:
    ranked = ranking.rank(READING, [sign(1, "weak"), sign(2, "strong")], WEIGHTS)
    assert math.isclose(sum(step.probability for step in ranked), 1)


def test_the_step_with_the_heaviest_signs_is_the_likeliest() -> None:
    ranked = ranking.rank(READING, [sign(1, "weak"), sign(2, "strong"), sign(3, "unheard_of")], WEIGHTS)
    assert max(ranked, key=lambda step: step.probability).step.number == 3


def test_a_strong_sign_counts_more_than_a_faint_one_of_the_same_rule() -> None:
    ranked = ranking.rank(READING, [sign(1, "strong", 0.4), sign(2, "strong", 0.9)], WEIGHTS)
    assert ranked[2].probability > ranked[1].probability


def test_a_rule_counts_once_a_step_and_the_heaviest_comes_first() -> None:
    ranked = ranking.rank(READING, [sign(1, "weak"), sign(1, "strong", 0.2), sign(1, "strong", 0.9)], WEIGHTS)
    assert [(found.rule, found.strength) for found in ranked[1].signs] == [("strong", 0.9), ("weak", 1.0)]


@pytest.mark.parametrize(
    ("probability", "level"),
    [(0.6, Confidence.HIGH), (0.59, Confidence.MEDIUM), (0.3, Confidence.MEDIUM), (0.29, Confidence.LOW)],
)
def test_confidence_follows_the_measured_thresholds(probability: float, level: Confidence) -> None:
    assert ranking.confidence(probability, WEIGHTS) == level


def test_every_rule_that_is_weighed_can_be_explained() -> None:
    rules = {name for name in ranking.Weights.shipped().features if ":" not in name}
    assert {rule for rule in rules if causes.of(rule) == causes.of("no such rule")} == set()
