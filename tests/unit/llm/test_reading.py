from __future__ import annotations

import pytest

from pytest_refinery.llm.builtin.reading import Reading, is_handover, is_write, spoken_name
from pytest_refinery.traces.model import Run, ToolCall, Trace
from tests.unit.llm.scenes import agent, case, did, speaks, system, talk, user


def test_offered_tools_are_read_in_every_vendors_form() -> None:
    tools = [{"type": "function", "function": {"name": "wrapped"}}, {"name": "flat"}, {"type": "other"}, "no tool"]
    runs = (
        Run(id="m", name="m", kind="llm", settings={"tools": tools}),
        Run(id="t", name="used", kind="tool", outputs="ok"),
    )
    assert set(Reading.of(case(Trace(id="t", name="t", runs=runs))).tools) == {"wrapped", "flat", "used"}


def test_a_conversation_has_the_shape_of_who_speaks_in_it() -> None:
    assert Reading.of(case(talk(user("Hi."), agent("Hello.")))).shape == "desk"
    assert Reading.of(case(talk(agent("Count.", "A"), agent("Done.", "B")))).shape == "team"
    assert Reading.of(case(talk(speaks("Leader (-> Worker)", "Go."), speaks("Worker", "Done.")))).shape == "led"


def test_the_results_of_a_step_are_found_from_it_and_back() -> None:
    reading = Reading.of(case(talk(user("Go."), did("a", {"x": 1}, "one"), did("b", {"x": 2}, "two"))))
    assert [step.text for step in reading.results[4]] == ["two"]
    assert reading.caller(reading.steps[2]) is reading.steps[1]
    assert reading.caller(reading.steps[1]) is None


def test_a_turn_reaches_back_to_the_users_last_words() -> None:
    reading = Reading.of(case(talk(system("Be kind."), user("One."), agent("1"), user("Two."), agent("2"), agent("3"))))
    assert [step.text for step in reading.turn(reading.steps[-1])] == ["2"]
    request = reading.request(reading.steps[-1])
    assert request is not None
    assert request.text == "Two."
    assert reading.told == "Be kind."


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("get_order", False),
        ("listOrders", False),
        ("think", False),
        ("cancel_order", True),
        ("checkout", True),
        ("pay", True),
    ],
)
def test_a_tools_name_tells_whether_it_changes_something(name: str, changes: bool) -> None:  # noqa: FBT001  (a column)
    assert is_write(ToolCall(name)) == changes


def test_a_hand_over_goes_to_people() -> None:
    assert is_handover(ToolCall("transfer_to_human_agents"))
    assert not is_handover(ToolCall("transfer_money"))


def test_some_identifiers_can_be_spoken() -> None:
    assert spoken_name("credit_card_7952624") == "credit card"
    assert spoken_name("7952624") == ""
