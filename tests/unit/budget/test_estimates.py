from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.budget.estimates import Estimates

if TYPE_CHECKING:
    from pathlib import Path


def learned(estimates: Estimates, *, ratio: float, output: int, answers: int = 20) -> Estimates:
    for _ in range(answers):
        estimates.learn(
            "stage 1", counted=1000, input_tokens=round(1000 * ratio), output_tokens=output, max_output_tokens=2000
        )
    return estimates


def test_before_any_answer_the_estimate_is_careful() -> None:
    assert Estimates().expected("stage 1", input_tokens=1000, max_output_tokens=2000) == 1150 + 1000


def test_after_some_answers_it_is_what_they_cost() -> None:
    estimates = learned(Estimates(), ratio=0.9, output=300)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=2000) == 900 + 300


def test_too_few_answers_only_raise_it() -> None:
    assert learned(Estimates(), ratio=0.5, output=1, answers=2).expected(
        "stage 1", input_tokens=1000, max_output_tokens=2000
    ) == (1150 + 1000)
    assert learned(Estimates(), ratio=1.4, output=1900, answers=2).expected(
        "stage 1", input_tokens=1000, max_output_tokens=2000
    ) == (1400 + 1900)


def test_what_one_process_has_learned_others_know(tmp_path: Path) -> None:
    path = tmp_path / "budget" / "costs.json"
    other = Estimates(path)
    learned(Estimates(path), ratio=0.9, output=300)
    assert other.expected("stage 1", input_tokens=1000, max_output_tokens=2000) == 900 + 300
    Estimates(path).learn_refusal(counted=1000, max_output_tokens=2000, requested=3000)
    assert other.expected("stage 1", input_tokens=1000, max_output_tokens=2000) == 900 + 2000


@pytest.mark.parametrize("text", ["", "[]", "{", '{"answers": {"stage 1": [[1]]}}', '{"answers": 3}'])
def test_a_file_that_says_something_else_teaches_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text)
    estimates = learned(Estimates(path), ratio=0.9, output=300)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=2000) == 900 + 300


def test_where_nothing_can_be_written_it_learns_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    estimates = learned(Estimates(tmp_path / "file" / "costs.json"), ratio=0.9, output=300)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=2000) == 900 + 300


def test_the_fewer_answers_are_known_the_more_is_added_to_the_highest() -> None:
    few, many = Estimates(), Estimates()
    for estimates, answers in ((few, 10), (many, 100)):
        for number in range(answers):
            estimates.learn(
                "stage 1", counted=1000, input_tokens=900 + 200 * (number % 2), output_tokens=0, max_output_tokens=0
            )
    assert few.expected("stage 1", input_tokens=1000, max_output_tokens=0) == pytest.approx(1160, abs=1)
    assert many.expected("stage 1", input_tokens=1000, max_output_tokens=0) == pytest.approx(1106, abs=1)


def test_a_few_answers_of_one_kind_say_nothing_of_another() -> None:
    estimates = learned(Estimates(), ratio=0.5, output=10, answers=4)
    assert estimates.expected("stage 3", input_tokens=1000, max_output_tokens=2000) == 1150 + 1000


def test_a_kind_not_known_yet_is_expected_to_be_as_the_others() -> None:
    estimates = learned(Estimates(), ratio=0.9, output=200, answers=5)
    assert estimates.expected("stage 3", input_tokens=1000, max_output_tokens=1000) == 900 + 100


def test_a_kind_that_is_known_learns_for_itself() -> None:
    estimates = learned(Estimates(), ratio=0.5, output=10)
    for _ in range(10):
        estimates.learn("stage 3", counted=1000, input_tokens=1200, output_tokens=500, max_output_tokens=1000)
    assert estimates.expected("stage 3", input_tokens=1000, max_output_tokens=1000) == 1200 + 500
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=1000) == 500 + 10


def test_no_output_is_expected_above_what_is_permitted() -> None:
    estimates = learned(Estimates(), ratio=1.0, output=5000)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=800) == 1000 + 800


def test_a_service_may_reserve_the_whole_output() -> None:
    estimates = learned(Estimates(reserves_output=True), ratio=1.0, output=10)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=800) == 1000 + 800


def test_that_a_service_reserves_the_output_is_learned_from_its_refusal() -> None:
    estimates = learned(Estimates(), ratio=1.0, output=10)
    estimates.learn_refusal(counted=1000, max_output_tokens=800, requested=1100)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=800) == 1010
    estimates.learn_refusal(counted=1000, max_output_tokens=800, requested=1790)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=800) == 1800


def test_what_was_set_is_not_unlearned() -> None:
    estimates = learned(Estimates(reserves_output=False), ratio=1.0, output=10)
    estimates.learn_refusal(counted=1000, max_output_tokens=800, requested=1800)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=800) == 1010


def test_nothing_is_learned_from_an_empty_count() -> None:
    estimates = Estimates()
    estimates.learn("stage 1", counted=0, input_tokens=50, output_tokens=1, max_output_tokens=0)
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=0) == 1150


@given(st.lists(st.floats(0.7, 1.3), min_size=1, max_size=200))
def test_an_estimate_is_never_below_what_the_last_answers_cost(ratios: list[float]) -> None:
    estimates = Estimates()
    for ratio in ratios:
        estimates.learn("stage 1", counted=1000, input_tokens=round(1000 * ratio), output_tokens=0, max_output_tokens=0)
    dearest = max(round(1000 * ratio) for ratio in ratios[-100:])
    assert estimates.expected("stage 1", input_tokens=1000, max_output_tokens=0) >= dearest
