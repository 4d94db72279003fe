from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.requests import changed_requests, early_handovers, refusals_without_looking
from pytest_refinery.llm.builtin.reading import Reading
from tests.unit.llm.scenes import agent, case, did, signs, talk, user

ASKS = user("I want to exchange my shoes.")


def test_a_user_who_turns_away_from_the_request_is_found() -> None:
    assert signs(changed_requests, ASKS, agent("Which?"), user("Actually, just cancel them.")) == [
        ("2", "changed_request")
    ]


def test_the_first_request_changes_nothing() -> None:
    assert signs(changed_requests, user("I would rather have the blue ones instead.")) == []


def test_a_change_after_a_refusal_is_the_clearer_sign() -> None:
    def strength(said: str) -> float:
        (sign,) = changed_requests(Reading.of(case(talk(ASKS, agent(said), user("Cancel it instead.")))))
        return sign.strength

    assert strength("Unfortunately this cannot be exchanged.") > strength("Which size?")


PROFILE = did("get_user", {}, '{"orders": ["W1001", "W1002"]}')
ADDRESS = user("Can you take my new address from my order?")
REFUSES = agent("Unfortunately, I can't do that.")


def test_a_refusal_with_an_unread_record_at_hand_is_found() -> None:
    assert signs(refusals_without_looking, user("Hi."), PROFILE, ADDRESS, REFUSES) == [("4", "refused_unlooked")]


def test_a_refusal_with_nothing_left_to_read_is_the_weaker_rule() -> None:
    looked = [*did("get_order", {"id": "W1001"}, "{}"), *did("get_order", {"id": "W1002"}, "{}")]
    assert signs(refusals_without_looking, user("Hi."), PROFILE, looked, ADDRESS, REFUSES) == [("8", "refused")]


def test_a_refusal_after_a_look_is_fine() -> None:
    assert signs(refusals_without_looking, ADDRESS, PROFILE, REFUSES) == []


def test_a_hand_over_is_found() -> None:
    assert signs(early_handovers, ASKS, did("transfer_to_human_agents", {}, "ok")) == [("1", "early_handover")]
    assert signs(early_handovers, ASKS, did("transfer_money", {"to": "x"}, "ok")) == []
