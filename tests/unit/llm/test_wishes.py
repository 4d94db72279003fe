from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.wishes import contradicted_wishes
from tests.unit.llm.scenes import agent, did, signs, user

PROFILE = did("get_user", {}, {"payment": {"credit_card_101": {}, "gift_card_202": {}}})
SHELF = did(
    "get_product",
    {},
    {
        "variants": {
            "5001": {"options": {"switch": "clicky"}, "available": True},
            "5002": {"options": {"switch": "linear"}, "available": True},
        }
    },
)
LINEAR = did("exchange_item", {"new_item_id": "5002"}, "ok")


def test_another_option_than_the_user_named_is_found() -> None:
    assert signs(contradicted_wishes, SHELF, user("I want the clicky one."), LINEAR) == [("3", "contradicted_wish")]


def test_the_option_that_the_user_named_is_fine() -> None:
    assert signs(contradicted_wishes, SHELF, user("I want the linear one."), LINEAR) == []


def test_the_last_word_of_the_user_counts() -> None:
    changed = (user("I want the clicky one."), agent("Sure?"), user("No, the linear one, please."))
    assert signs(contradicted_wishes, SHELF, *changed, LINEAR) == []


def test_what_the_user_has_already_is_no_wish() -> None:
    order = did("get_order", {}, {"items": [{"item_id": "4999", "options": {"switch": "clicky"}}]})
    assert signs(contradicted_wishes, order, SHELF, user("My clicky one is broken."), LINEAR) == []


def test_another_way_to_pay_than_the_user_named_is_found() -> None:
    pays = did("pay_order", {"method": "credit_card_101"}, "ok")
    assert signs(contradicted_wishes, PROFILE, user("Use my gift card."), pays) == [("3", "contradicted_wish")]
    assert signs(contradicted_wishes, PROFILE, user("Use my credit card, not the gift card."), pays) == []
