from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.choices import unasked_choices, unavailable_choices, wrong_extremes
from tests.unit.llm.scenes import agent, did, signs, user

PROFILE = did("get_user", {}, {"payment": {"credit_card_101": {}, "gift_card_202": {}}})
PAYS = did("pay_order", {"method": "gift_card_202"}, {"status": "paid"})
SHELF = did(
    "get_product",
    {},
    {
        "variants": {
            "5001": {"price": 12.5, "available": False},
            "5002": {"price": 20.0, "available": True},
            "5003": {"price": 31, "available": True},
        }
    },
)


def test_choosing_for_the_user_is_found() -> None:
    assert signs(unasked_choices, user("Pay it."), PROFILE, PAYS) == [("3", "unasked_choice")]


def test_a_choice_that_somebody_spoke_of_is_fine() -> None:
    assert signs(unasked_choices, user("Pay it with my gift card."), PROFILE, PAYS) == []
    assert signs(unasked_choices, user("Pay it."), PROFILE, agent("From your gift-card?"), user("Yes."), PAYS) == []


def test_where_there_is_one_possibility_nothing_is_chosen() -> None:
    assert signs(unasked_choices, user("Pay it."), did("get_user", {}, {"payment": {"gift_card_202": {}}}), PAYS) == []


def test_ordering_what_cannot_be_had_is_found() -> None:
    assert signs(unavailable_choices, SHELF, did("order_item", {"item_id": "5001"}, "ok")) == [
        ("2", "unavailable_choice")
    ]


def test_ordering_what_is_there_is_fine() -> None:
    assert signs(unavailable_choices, SHELF, did("order_item", {"item_id": "5002"}, "ok")) == []


def test_giving_up_what_one_has_is_fine_though_it_cannot_be_had_any_more() -> None:
    order = did("get_order", {}, {"items": [{"item_id": "5001", "price": 12.5}]})
    assert signs(unavailable_choices, order, SHELF, did("exchange_item", {"item_id": "5001"}, "ok")) == []


def test_a_cheapest_that_is_not_the_cheapest_is_found() -> None:
    assert signs(wrong_extremes, SHELF, agent("The cheapest one costs $31.")) == [("2", "wrong_extreme")]
    assert signs(wrong_extremes, SHELF, agent("The most expensive one costs $20.")) == [("2", "wrong_extreme")]


def test_a_cheapest_among_what_is_available_is_right() -> None:
    assert signs(wrong_extremes, SHELF, agent("The cheapest one costs $20.00.")) == []
