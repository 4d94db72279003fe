from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.calls import (
    closed_doors,
    repeated_calls,
    unknown_arguments,
    wider_than_asked,
)
from pytest_refinery.llm.builtin.detectors.errors import failed_calls
from tests.unit.llm.scenes import agent, did, signs, user

ORDER = {
    "order_id": "#A100",
    "items": [{"name": "Garden Hose", "item_id": "77001"}, {"name": "Lamp", "item_id": "77002"}],
}
LOOK = did("get_order", {"order_id": "#A100"}, ORDER)


def test_the_same_call_again_is_found() -> None:
    assert signs(repeated_calls, user("Go."), LOOK, LOOK) == [("3", "repeated_call")]


def test_the_same_tool_with_other_arguments_is_no_repetition() -> None:
    assert signs(repeated_calls, user("Go."), LOOK, did("get_order", {"order_id": "#A200"}, {})) == []


def test_thinking_twice_is_no_repetition() -> None:
    assert signs(repeated_calls, did("think", {"thought": "hm"}, ""), did("think", {"thought": "hm"}, "")) == []


def test_cancelling_all_where_one_part_was_meant_is_found() -> None:
    whole = did("cancel_order", {"order_id": "#A100"}, {"status": "cancelled"})
    assert signs(wider_than_asked, LOOK, user("Cancel the garden hose."), whole) == [("3", "wider_than_asked")]


def test_cancelling_all_that_was_named_is_fine() -> None:
    whole = did("cancel_order", {"order_id": "#A100"}, {"status": "cancelled"})
    assert signs(wider_than_asked, LOOK, user("Cancel the hose and the lamp."), whole) == []


def test_cancelling_just_the_part_that_was_named_is_fine() -> None:
    part = did("cancel_items", {"order_id": "#A100", "item_ids": ["77001"]}, {"status": "ok"})
    assert signs(wider_than_asked, LOOK, user("Cancel the garden hose."), part) == []


FIRST = did("change_items", {"order_id": "#A100"}, {"status": "changed"})
REFUSED = did("change_address", {"order_id": "#A100"}, "Error: the order cannot be changed any more")


def test_a_change_that_forbids_the_next_one_is_found() -> None:
    assert signs(closed_doors, user("Items and address, please."), FIRST, REFUSED) == [("1", "closed_door")]


def test_a_refusal_that_an_earlier_change_explains_is_not_blamed_on_the_later_call() -> None:
    assert signs(failed_calls, user("Items and address, please."), FIRST, REFUSED) == []


def test_a_refusal_about_another_record_closes_no_door() -> None:
    other = did("change_address", {"order_id": "#B200"}, "Error: the order cannot be changed any more")
    assert signs(closed_doors, user("Go."), FIRST, other) == []


def test_an_identifier_that_nobody_mentioned_is_found() -> None:
    invented = did("get_account", {"account_id": "acc_99812"}, {})
    assert signs(unknown_arguments, user("My order is late."), invented) == [("1", "unknown_argument")]


def test_a_date_may_follow_from_the_users_words() -> None:
    assert signs(unknown_arguments, user("And last year?"), did("list_fees", {"since": "2025-01-01"}, [])) == []


def test_an_identifier_that_the_user_gave_is_known() -> None:
    given = did("get_account", {"account_id": "acc_99812"}, {})
    assert signs(unknown_arguments, user("It is ACC_99812."), agent("One moment."), given) == []
