"""A check for a name that is probably misspelt is undecided: it would pass whatever happened."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations import near_names
from pytest_refinery.expectations.figure_checks import Runs
from pytest_refinery.expectations.tools_check import Tools
from pytest_refinery.traces.model import Run, Trace

_TRACE = Trace(
    id="t",
    name="t",
    runs=(Run(id="a", name="agent", kind="chain"), Run(id="b", parent_id="a", name="lookup_order", kind="tool")),
)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("delete_acount", "delete_account"),
        ("deleteAccount", "delete_account"),
        ("send_mail", "send_email"),
        ("lookup_order", "look_up_order"),
        ("get_users", "get_user"),
        ("transfer_to_human_agent", "transfer_to_human_agents"),
        ("Search-Web", "search_web"),
    ],
)
def test_slips(name: str, other: str) -> None:
    with pytest.raises(CheckError, match=f"Did you mean '{other}'"):
        near_names.refuse_misspelt(name, ["unrelated", other], what="There is no")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("delete_account", "get_account"),
        ("set_user", "get_user"),
        ("cancel_order", "list_orders"),
        ("send_email", "read_email"),
        ("step_1", "step_2"),
        ("refund", "lookup"),
        ("", "a"),
        ("a", ""),
    ],
)
def test_other_things(name: str, other: str) -> None:
    near_names.refuse_misspelt(name, [other], what="There is no")


def test_a_name_that_is_there_is_right_whatever_else_is() -> None:
    near_names.refuse_misspelt("get_user", ["get_user", "get_users"], what="There is no")


@pytest.mark.parametrize("check", [Tools(not_called="lookup_ordr"), Tools(at_most={"lookup_ordr": 0})])
def test_a_misspelt_tool_is_undecided(check: Tools) -> None:
    with pytest.raises(CheckError, match="the trace calls no tool of the name 'lookup_ordr'"):
        list(check.verdicts(_TRACE))


@pytest.mark.parametrize(
    ("demanded", "said"),
    [
        ({"kind": "lmm"}, "no run is of the kind 'lmm', so the check would say nothing. Did you mean 'llm'"),
        ({"kind": "tols"}, "Did you mean 'tool'"),
        ({"name": "lookup_ordr"}, "no run of the name 'lookup_ordr'.* Did you mean 'lookup_order'"),
    ],
)
def test_a_misspelt_run_is_undecided(demanded: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckError, match=said):
        list(Runs(at_most=0, **demanded).verdicts(_TRACE))


@pytest.mark.parametrize("demanded", [{"kind": "llm"}, {"kind": "retriever"}, {"name": "refund"}, {}])
def test_what_may_well_be_absent_passes(demanded: dict[str, Any]) -> None:
    verdicts = list(Runs(at_most=5, **demanded).verdicts(_TRACE))
    assert all(verdict.passed for verdict in verdicts)
