from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.figures import misattributed_figures, miscounts, ungrounded_figures
from tests.unit.llm.scenes import agent, did, signs, user

BALANCE = did("get_balance", {}, {"balance": 1250.5})


def test_a_figure_from_nowhere_is_found() -> None:
    assert signs(ungrounded_figures, user("How much?"), BALANCE, agent("You have 1300 USD.")) == [
        ("3", "ungrounded_figure")
    ]


def test_a_figure_of_a_tool_is_grounded_however_it_is_written() -> None:
    assert signs(ungrounded_figures, user("How much?"), BALANCE, agent("You have $1,250.50.")) == []


def test_numbers_of_a_list_are_no_figures() -> None:
    assert signs(ungrounded_figures, user("How?"), BALANCE, agent("\n".join(f"{n}. Step" for n in range(10, 13)))) == []


def test_without_any_tool_no_figure_has_a_source_to_be_missed_in() -> None:
    assert signs(ungrounded_figures, user("How much?"), agent("You have 1300 USD.")) == []


STOCK = did("get_stock", {}, {"a": {"available": True}, "b": {"available": False}, "c": {"available": True}})


def test_a_wrong_count_is_found() -> None:
    assert signs(miscounts, user("How many?"), STOCK, agent("There are 3 available options.")) == [("3", "miscounted")]


def test_a_right_count_is_fine() -> None:
    assert signs(miscounts, user("How many?"), STOCK, agent("There are 2 available options.")) == []


def test_a_count_of_something_else_is_not_compared() -> None:
    assert signs(miscounts, user("How many?"), STOCK, agent("There are 3 branches near you.")) == []


ESPRESSO = did("get_order", {"id": 1}, {"items": [{"name": "Espresso Machine"}], "tracking": "194496721133"})
TABLET = did("get_order", {"id": 2}, {"items": [{"name": "Tablet"}], "tracking": "746342064230"})
WHERE = user("Where is my tablet?")


def test_the_figure_of_another_record_is_found() -> None:
    wrong = agent("Your tablet has the tracking number 194496721133.")
    assert signs(misattributed_figures, WHERE, ESPRESSO, wrong, TABLET) == [("3", "misattributed_figure")]


def test_the_figure_of_the_right_record_is_fine() -> None:
    right = agent("Your tablet has the tracking number 746342064230.")
    assert signs(misattributed_figures, WHERE, ESPRESSO, TABLET, right) == []
