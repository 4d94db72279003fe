from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.expectations.checks import run_checks
from tests.unit.expectations.made import answering, calling, decide, make_check

TRANSFER = calling(
    ("find_account", {"owner": "Ms. Vogel"}),
    ("list_transactions", {"account": "A-1", "filter": {"kind": "sweep", "since": "2026-01-01"}, "pages": [1, 2]}),
    ("list_transactions", {"account": "A-2"}),
    ("transfer", {"amount": 5, "confirmed": True}),
)


def test_a_called_tool_is_named_with_its_first_run() -> None:
    verdict = decide("tools", {"called": "list_transactions"}, TRANSFER)
    assert (verdict.passed, verdict.run_id) == (True, "call-2")


def test_a_tool_that_was_not_called_is_said_with_those_that_were() -> None:
    verdict = decide("tools", {"called": ["hand_over"]}, TRANSFER)
    assert verdict.message == (
        "expected a call of 'hand_over', was calls of 'find_account' once, 'list_transactions' 2 times, "
        "'transfer' once (in run 'agent', id agent)"
    )


def test_no_call_at_all_is_said() -> None:
    assert decide("tools", {"called": "search"}, answering("Hi")).actual == "no tool call at all"
    assert decide("tools", {"in_order": ["search", "read"]}, answering("Hi")).actual == "no tool call at all"


def test_an_unwanted_call_is_named_with_its_run() -> None:
    assert decide("tools", {"not_called": "search"}, TRANSFER).passed
    verdict = decide("tools", {"not_called": "transfer"}, TRANSFER)
    assert (verdict.passed, verdict.expected, verdict.run_id) == (False, "no call of 'transfer'", "call-4")


@pytest.mark.parametrize(
    ("names", "passed"),
    [
        (["find_account", "transfer"], True),
        (["list_transactions", "list_transactions"], True),
        (["list_transactions", "list_transactions", "list_transactions"], False),
        (["transfer", "find_account"], False),
    ],
)
def test_an_order_may_have_others_between(names: list[str], passed: bool) -> None:  # noqa: FBT001
    assert decide("tools", {"in_order": names}, TRANSFER).passed is passed


def test_a_broken_order_is_said_with_the_call_after_which_it_breaks() -> None:
    assert decide("tools", {"in_order": ["transfer", "find_account"]}, TRANSFER).message == (
        "expected calls in the order 'transfer', 'find_account', was no 'find_account' after 'transfer'; "
        "the calls were 'find_account', 'list_transactions', 'list_transactions', 'transfer' "
        "(in run 'transfer', id call-4)"
    )


def test_an_order_that_never_begins_is_said() -> None:
    assert decide("tools", {"in_order": ["search", "transfer"]}, TRANSFER).actual.startswith("no 'search'; the calls")


@pytest.mark.parametrize(
    "subset",
    [
        {},
        {"account": "A-2"},
        {"filter": {"kind": "sweep"}},
        {"pages": [1, 2.0]},
        {"account": "A-1", "filter": {"since": "2026-01-01", "kind": "sweep"}},
    ],
)
def test_arguments_may_have_others_beside_them(subset: dict[str, Any]) -> None:
    assert decide("tools", {"arguments": {"list_transactions": subset}}, TRANSFER).passed


@pytest.mark.parametrize(
    ("subset", "difference"),
    [
        ({"account": "a-2"}, "'account' = '\"A-1\"'"),
        ({"filter": {"kind": "sweep", "until": "x"}}, "no 'filter.until'"),
        ({"filter": "sweep"}, '\'filter\' = \'{"kind": "sweep", "since": "2026-01-01"}\''),
        ({"pages": [1]}, "'pages' = '[1, 2]'"),
        ({"pages": [1, 3]}, "'pages[1]' = '2'"),
        ({"pages": [True, 2]}, "'pages[0]' = '1'"),
        ({"account": "A-9", "limit": 3}, "'account' = '\"A-1\"'; no 'limit'"),
    ],
)
def test_other_arguments_are_said_from_the_nearest_call(subset: dict[str, Any], difference: str) -> None:
    verdict = decide("tools", {"arguments": {"list_transactions": subset}}, TRANSFER)
    assert (verdict.passed, verdict.actual) == (False, f"2 calls, at best with {difference}")
    assert verdict.run_id == "call-2"


def test_arguments_of_a_tool_that_was_not_called_are_said_with_those_that_were() -> None:
    verdict = decide("tools", {"arguments": {"search": {"text": "x"}}}, TRANSFER)
    assert verdict.message.startswith(
        "expected a call of 'search' with '{\"text\": \"x\"}', was calls of 'find_account'"
    )


def test_arguments_that_are_no_mapping_are_shown_whole() -> None:
    verdict = decide("tools", {"arguments": {"search": {"text": "x"}}}, calling(("search", "not JSON")))
    assert verdict.actual == "1 call, at best with 'arguments' = '\"not JSON\"'"


def test_a_limit_holds_for_all_tools_or_for_each() -> None:
    assert decide("tools", {"at_most": 4}, TRANSFER).passed
    assert decide("tools", {"at_most": {"*": 4}}, TRANSFER).passed
    assert decide("tools", {"at_most": {"transfer": 1}}, TRANSFER).passed
    assert decide("tools", {"at_most": {"search": 0}}, TRANSFER).actual == "none"


def test_the_first_call_too_many_is_named() -> None:
    assert decide("tools", {"at_most": {"list_transactions": 1}}, TRANSFER).message == (
        "expected at most 1 tool call of 'list_transactions', was 2: 'list_transactions', 'list_transactions' "
        "(in run 'list_transactions', id call-3)"
    )


def test_a_long_list_of_calls_is_cut() -> None:
    verdict = decide("tools", {"at_most": 3}, calling(*[(f"t{number}", {}) for number in range(14)]))
    assert verdict.actual.startswith("14: 't0', 't1',")
    assert verdict.actual.endswith("'t11' and 2 more")


def test_each_demand_has_a_verdict_of_its_own() -> None:
    check = make_check(
        "tools",
        {
            "called": ["transfer", "search"],
            "not_called": "delete",
            "in_order": ["find_account", "transfer"],
            "arguments": {"transfer": {"confirmed": True}},
            "at_most": {"transfer": 1, "*": 3},
        },
    )
    assert [(verdict.name, verdict.passed) for verdict in run_checks([check], TRANSFER)] == [
        ("tools.called", True),
        ("tools.called", False),
        ("tools.not_called", True),
        ("tools.in_order", True),
        ("tools.arguments", True),
        ("tools.at_most", True),
        ("tools.at_most", False),
    ]


LISTS = calling(("book", {"seats": [{"row": 1, "side": "left"}, {"row": 2}, 3]}))


@pytest.mark.parametrize(
    ("seats", "is_met"),
    [
        ([3, {"row": 2}, {"row": 1}], True),
        ([{"row": 1}, {"row": 2}, 3], True),
        ([{}, {"row": 1}, 3], True),
        ([3, {"row": 2}, {"row": 2}], False),
        ([3, {"row": 2}], False),
        ([3, 3, {"row": 1}], False),
    ],
)
def test_lists_may_be_met_in_any_order_on_request(seats: list[object], *, is_met: bool) -> None:
    assert decide("tools", {"arguments": {"book": {"seats": seats}}, "any_order": True}, LISTS).passed is is_met


def test_lists_have_their_order_without_that_request() -> None:
    assert not decide("tools", {"arguments": {"book": {"seats": [3, {"row": 2}, {"row": 1}]}}}, LISTS).passed


@given(st.permutations(list(range(6))), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_each_permutation_of_a_list_meets_it(order: list[int], values: list[int]) -> None:
    trace = calling(("put", {"values": [values[place] for place in order]}))
    assert decide("tools", {"arguments": {"put": {"values": values}}, "any_order": True}, trace).passed
    other = [*values[:-1], 9]
    assert not decide("tools", {"arguments": {"put": {"values": other}}, "any_order": True}, trace).passed
