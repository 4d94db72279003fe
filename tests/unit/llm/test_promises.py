from __future__ import annotations

import pytest

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin.detectors.promises import claimed_actions, lasting_promises
from pytest_refinery.llm.builtin.reading import Reading
from tests.unit.llm.scenes import agent, case, did, signs, system, talk, user

ASKS = user("Please leave out the cash sweep redemptions.")


@pytest.mark.parametrize(
    "promise",
    [
        "From now on I will leave them out.",
        "Understood, they are left out going forward.",
        "I'll remember that for you.",
        "I\N{RIGHT SINGLE QUOTATION MARK}ll keep that in mind.",
        "I will exclude them in all future reports.",
        "I have made a note of it.",
    ],
)
def test_a_promise_for_later_without_memory_is_found(promise: str) -> None:
    assert signs(lasting_promises, ASKS, agent(promise)) == [("1", "lasting_promise")]


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot remember this from now on; please tell me each time.",
        "I have left them out of this list.",
        "Prices may rise in the future.",
    ],
)
def test_an_honest_answer_is_no_promise(answer: str) -> None:
    assert signs(lasting_promises, ASKS, agent(answer)) == []


def test_a_promise_that_a_tool_keeps_is_fine() -> None:
    kept = did("save_preference", {"exclude": "sweep"}, "saved")
    assert signs(lasting_promises, ASKS, kept, agent("From now on I will leave them out.")) == []


def test_a_promise_is_found_where_the_tool_was_there_but_not_used() -> None:
    other_turn = did("save_preference", {"color": "blue"}, "saved")
    found = signs(
        lasting_promises, user("Blue, please."), other_turn, ASKS, agent("From now on I will leave them out.")
    )
    assert found == [("4", "lasting_promise")]


@pytest.mark.parametrize(
    ("prompt", "kind", "missing"),
    [
        ("Be kind.", FailureType.PROMPT_ISSUE, "memory"),
        ("You have no memory of earlier conversations.", FailureType.MODEL_LIMITATION, ""),
    ],
)
def test_the_prompt_is_to_blame_only_where_it_keeps_silent(prompt: str, kind: FailureType, missing: str) -> None:
    (sign,) = lasting_promises(
        Reading.of(case(talk(system(prompt), ASKS, agent("From now on I will leave them out."))))
    )
    assert (sign.failure_type, sign.subject) == (kind, missing)


def test_a_claim_with_no_call_behind_it_is_found() -> None:
    looked = did("get_order", {"id": "A1"}, {"status": "open"})
    assert signs(claimed_actions, user("Cancel it."), looked, agent("I have cancelled your order.")) == [
        ("3", "claimed_action")
    ]


def test_a_claim_after_a_change_is_believed() -> None:
    done = did("cancel_order", {"id": "A1"}, {"status": "cancelled"})
    assert signs(claimed_actions, user("Cancel it."), done, agent("I have cancelled your order.")) == []


def test_a_denial_is_no_claim() -> None:
    assert (
        signs(claimed_actions, user("Cancel it."), agent("I have not cancelled it, and I cannot say it has been sent."))
        == []
    )
