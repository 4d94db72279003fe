from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.endings import empty_answers, gave_up, step_limits, unparsable_outputs
from tests.unit.llm.scenes import agent, signs, user


def test_a_run_stopped_at_its_limit_is_found() -> None:
    assert signs(step_limits, user("Go."), agent("Agent stopped due to iteration limit.")) == [("1", "step_limit")]
    assert signs(step_limits, user("Is there an iteration limit?"), agent("Yes, ten.")) == []


def test_an_empty_answer_is_found() -> None:
    assert signs(empty_answers, user("Go."), agent(" ")) == [("1", "empty_answer")]
    assert signs(empty_answers, user(""), agent("Done.")) == []


def test_giving_up_is_found() -> None:
    assert signs(gave_up, user("Go."), agent("I was unable to find the rate.")) == [("1", "gave_up")]
    assert signs(gave_up, user("I was unable to find it."), agent("Here it is.")) == []


def test_json_that_breaks_off_is_found() -> None:
    assert signs(unparsable_outputs, user("Go."), agent('{"answer": "yes", "why')) == [("1", "unparsable_output")]
    assert signs(unparsable_outputs, user("Go."), agent('```json\n{"answer": "yes"}\n```')) == []
