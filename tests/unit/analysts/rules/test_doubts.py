"""Expectations that somebody or something in the trace contradicts, beside agents that really did wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.analysis.schemas import Confidence
from pytest_refinery.analysts.rules import doubts
from tests.unit.analysts.rules.scenes import agent, diagnosed, did, rule_of, system, user

if TYPE_CHECKING:
    from pytest_refinery.analysis.schemas import Diagnosis

OVEN = {"part": "OV-310", "warranty_until": "2027-04-09", "fuse": "16 A", "shelf": "north"}


def answers(text: str) -> dict[str, Any]:
    return {"output": {"in": "any", "contains": text}}


def demands(tool: str, **arguments: object) -> dict[str, Any]:
    return {"tools": {"arguments": {tool: arguments}}}


def is_doubted(diagnosis: Diagnosis) -> bool:
    doubted = rule_of(diagnosis) == doubts.RULE
    assert diagnosis.confidence is not Confidence.HIGH or not doubted
    assert not (doubted and diagnosis.suggested_fix)
    return doubted


@pytest.mark.parametrize(
    ("asked", "said", "expect", "demanded"),
    [
        ("Until when is OV-310 under warranty?", "Until 9 April 2027.", "It names 9 May 2027.", "9 May"),
        ("Which fuse does OV-310 need?", "It needs a fuse of 16 A.", "The agent names a fuse of 10 A.", "10 A"),
        ("On which shelf is OV-310?", "OV-310 is on the north shelf.", "The agent names the east shelf.", "east"),
    ],
)
@pytest.mark.parametrize("is_right", [True, False])
def test_a_record_with_another_value_is_named_where_the_agent_says_the_same(
    asked: str, said: str, expect: str, demanded: str, *, is_right: bool
) -> None:
    record = OVEN if is_right else {"part": "OV-310", "warranty_until": "2027-05-09", "fuse": "10 A", "shelf": "east"}
    diagnosis = diagnosed(
        user(asked),
        did("read_part", {"part": "OV-310"}, record),
        agent(said),
        expect=expect,
        checks=(answers(demanded),),
    )
    assert is_doubted(diagnosis) is is_right


def test_a_text_with_another_value_counts_only_where_it_is_about_the_question() -> None:
    about = "Rental bikes. The deposit for a cargo bike is 150 EUR."
    parts = (user("What is the deposit for a cargo bike?"), did("search", {"q": "deposit cargo bike"}, about))
    expect, checks = "The agent says that the deposit for a cargo bike is 90 EUR.", (answers("90 EUR"),)
    assert is_doubted(diagnosed(*parts, agent("The deposit is 150 EUR."), expect=expect, checks=checks))
    other = did("search", {"q": "deposit"}, "Rental bikes. The deposit for a city bike is 150 EUR.")
    assert not is_doubted(diagnosed(parts[0], other, agent("The deposit is 150 EUR."), expect=expect, checks=checks))


@pytest.mark.parametrize("loan", ["weekend", "evening"])
def test_a_person_who_asked_for_something_else_contradicts_a_demanded_argument(loan: str) -> None:
    listed = [{"slot": "A-7", "kind": "weekend"}, {"slot": "B-2", "kind": "evening"}]
    diagnosis = diagnosed(
        user(f"I'd like a {loan} slot for the pottery kiln, please."),
        did("list_slots", {}, listed),
        agent("A-7 is free. Shall I take it?"),
        user("Yes."),
        did("take_slot", {"slot": "A-7"}, {"slot": "A-7", "state": "taken"}),
        agent("A-7 is yours."),
        expect="The evening slot B-2 is taken.",
        checks=(demands("take_slot", slot="B-2"),),
    )
    assert is_doubted(diagnosis) is (loan == "weekend")


@pytest.mark.parametrize(
    ("turn", "is_withdrawn"),
    [
        ("On second thought, forget it.", True),
        ("No, please don't book anything.", True),
        ("Make it the early ferry instead. Yes, book it.", False),
        ("Yes, I don't mind the price.", False),
    ],
)
def test_a_demanded_call_that_the_user_withdrew(turn: str, is_withdrawn: bool) -> None:  # noqa: FBT001
    diagnosis = diagnosed(
        user("I need a place on the late ferry to Holm."),
        agent("The late ferry to Holm is 12 EUR. Shall I book it?"),
        user(turn),
        agent("Alright, nothing is booked. Have a nice day."),
        expect="A place on the ferry is booked.",
        checks=({"tools": {"called": "book_ferry"}},),
    )
    assert is_doubted(diagnosis) is is_withdrawn


@pytest.mark.parametrize(
    ("weight", "refusal", "is_forbidden"),
    [
        (48, "Parcels above 30 kg cannot be sent by courier, I am sorry.", True),
        (12, "I am sorry, I cannot send this parcel by courier.", False),
    ],
)
def test_a_demanded_call_that_the_prompt_forbids(weight: int, refusal: str, is_forbidden: bool) -> None:  # noqa: FBT001
    diagnosis = diagnosed(
        system("You work for Blau Parcels. Be friendly. Parcels above 30 kg must not be sent by courier."),
        user("Send parcel BP-771 by courier."),
        did("weigh_parcel", {"parcel": "BP-771"}, {"parcel": "BP-771", "weight_kg": weight}),
        agent(refusal),
        expect="The parcel is sent by courier.",
        checks=({"tools": {"called": "send_courier"}},),
    )
    assert is_doubted(diagnosis) is is_forbidden


@pytest.mark.parametrize("state", ["closed", "open"])
def test_a_record_in_a_state_that_the_prompt_does_not_allow_for_a_demanded_call(state: str) -> None:
    diagnosis = diagnosed(
        system("You keep the tickets. A ticket can only be merged if its state is 'open'."),
        user("Please merge ticket TK-9001 into TK-9002."),
        did("read_ticket", {"ticket_id": "TK-9001"}, {"ticket_id": "TK-9001", "state": state}),
        agent("I left it as it is."),
        expect="The ticket TK-9001 is merged.",
        checks=(demands("merge_ticket", ticket_id="TK-9001"),),
    )
    assert is_doubted(diagnosis) is (state == "closed")


def test_a_correction_that_names_the_old_value_too_is_no_ignored_wish() -> None:
    diagnosis = diagnosed(
        user("Set the alarm code to 4471."),
        agent("Shall I set it to 4471?"),
        user("Better 9920, since 4471 is on the old key ring. Go."),
        did("set_code", {"code": "9920"}, {"ok": True}),
        agent("The code is 9920 now."),
        expect="The code is set to 4471.",
        checks=(demands("set_code", code="4471"),),
    )
    assert rule_of(diagnosis) != "ignored_person"


@pytest.mark.parametrize("age", [15, 21])
def test_a_rule_about_what_is_below_a_figure_is_about_lower_ones_alone(age: int) -> None:
    diagnosis = diagnosed(
        system("You rent out scooters. Scooters must not be rented out to people under 18."),
        user(f"I am {age}. Please rent out scooter SC-31 to me."),
        agent("Scooters are not rented out to people under 18."),
        expect="The scooter is rented out.",
        checks=({"tools": {"called": "rent_scooter"}},),
    )
    assert is_doubted(diagnosis) is (age == 15)


def test_words_that_are_nowhere_are_not_measured_by_a_field_that_only_the_user_spoke_of() -> None:
    diagnosis = diagnosed(
        user("Cancel policy HA-77; the reason is that I moved."),
        did("cancel_policy", {"policy_no": "HA-77"}, {"policy_no": "HA-77", "cancel_reason": "moved abroad"}),
        agent("I cancelled HA-77; the reason is moved abroad."),
        expect="The agent says what comes next.",
        checks=({"output": {"contains": "zebra crossing"}},),
    )
    assert rule_of(diagnosis) != "contradicted_expectation"
