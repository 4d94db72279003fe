from __future__ import annotations

import pytest

from pytest_refinery.llm.builtin.detectors.policy import (
    actions_on_questions,
    repeated_changes,
    skipped_first_steps,
    unconfirmed_changes,
)
from tests.unit.llm.scenes import agent, did, signs, system, user

CONFIRM = system("You must obtain explicit user confirmation before you change anything.")
CHANGE = did("change_order", {"id": "A1", "color": "red"}, "ok")


def test_a_change_without_consent_is_found() -> None:
    assert signs(unconfirmed_changes, CONFIRM, user("The red one is nicer."), CHANGE) == [("2", "unconfirmed_change")]


def test_a_change_with_consent_is_fine() -> None:
    assert signs(unconfirmed_changes, CONFIRM, user("Red?"), agent("Shall I?"), user("Yes, please."), CHANGE) == []


def test_consent_is_asked_only_where_the_prompt_wants_it() -> None:
    assert signs(unconfirmed_changes, system("Be kind."), user("The red one is nicer."), CHANGE) == []


FIRST = system("At the beginning you have to find the user id by email.")


def test_a_skipped_first_step_is_found() -> None:
    found = signs(
        skipped_first_steps, FIRST, user("Hi."), did("list_products", {}, "[]"), did("find_user_by_email", {}, "u1")
    )
    assert found == [("2", "skipped_first_step")]


def test_the_step_that_comes_first_is_fine() -> None:
    assert (
        signs(
            skipped_first_steps, FIRST, user("Hi."), did("find_user_by_email", {}, "u1"), did("list_products", {}, "[]")
        )
        == []
    )


ONCE = system("Order changes can only be made once, so collect all of them.")


def test_a_change_that_had_to_be_made_twice_was_incomplete() -> None:
    more = did("change_order", {"id": "A1", "color": "blue"}, "Error: already changed")
    assert signs(repeated_changes, ONCE, user("Red."), CHANGE, user("And blue."), more) == [("2", "incomplete_change")]


def test_a_change_of_another_record_is_not_the_same_change() -> None:
    assert signs(repeated_changes, ONCE, user("Red."), CHANGE, did("change_order", {"id": "B2"}, "ok")) == []


CLOSE = did("close_account", {"account": "A1"}, "closing")


def test_an_act_in_answer_to_a_question_is_found() -> None:
    question = user("What would happen if I closed my account?")
    assert signs(actions_on_questions, question, CLOSE) == [("1", "action_on_question")]


@pytest.mark.parametrize(
    "request_text", ["Please close my account.", "Would it cost a fee? Please close it.", "Close it."]
)
def test_an_act_that_was_asked_for_is_fine(request_text: str) -> None:
    assert signs(actions_on_questions, user(request_text), CLOSE) == []


def test_looking_something_up_in_answer_to_a_question_is_fine() -> None:
    assert signs(actions_on_questions, user("What would it cost?"), did("get_fees", {}, "5")) == []
