from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.budget.session_cap import SessionTokenCap
from pytest_refinery.budget.state_ledger import MemoryLedger
from pytest_refinery.budget.token_budget import SharedBudget
from pytest_refinery.budget.window import Limits
from pytest_refinery.errors import BudgetError, CeilingReachedError

if TYPE_CHECKING:
    from pathlib import Path


def budget_below(most: int, *, limit: int = 1_000_000, folder: Path | None = None) -> SharedBudget:
    cap = SessionTokenCap(most, folder=folder)
    return SharedBudget(MemoryLedger(Limits(tokens=limit)), tell=lambda _: None, cap=cap)


def test_what_goes_above_the_ceiling_is_refused_and_not_booked() -> None:
    ledger = MemoryLedger(Limits(tokens=1_000_000))
    budget = SharedBudget(ledger, tell=pytest.fail, cap=SessionTokenCap(1_000))
    budget.reserve(600)
    with pytest.raises(CeilingReachedError, match=r"may use 1,000 tokens .*: 600 are used, .* takes about 500\."):
        budget.reserve(500)
    assert ledger.status().used_tokens == 600
    budget.reserve(400)


def test_what_was_reserved_and_not_used_is_given_back() -> None:
    budget = budget_below(1_000)
    budget.reserve(900).settle(100)
    budget.reserve(900).settle(0)
    budget.reserve(900)
    with pytest.raises(CeilingReachedError):
        budget.reserve(1)


def test_what_was_used_beyond_what_was_reserved_counts() -> None:
    budget = budget_below(1_000)
    budget.reserve(100).settle(950)
    with pytest.raises(CeilingReachedError, match="950 are used"):
        budget.reserve(100)


def test_what_was_not_granted_is_given_back() -> None:
    budget = budget_below(1_000, limit=900)
    budget.reserve(900).settle(50)
    budget.reserve(850)
    for _ in range(3):
        with pytest.raises(BudgetError, match="No room for 100 tokens"):
            budget.reserve(100, timeout=0)


def test_workers_count_together(tmp_path: Path) -> None:
    budgets = [budget_below(1_000, folder=tmp_path / "shared") for _ in range(4)]
    granted: list[int] = []

    def work(budget: SharedBudget) -> None:
        for _ in range(50):
            try:
                budget.reserve(30).settle(25)
            except CeilingReachedError:
                return
            granted.append(25)

    threads = [threading.Thread(target=work, args=(budget,)) for budget in budgets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 900 <= sum(granted) <= 1_000


@pytest.mark.parametrize("left", ["", "12x", "-5", None])
def test_a_count_that_was_cut_or_deleted_goes_on_with_what_this_process_knows(tmp_path: Path, left: str | None) -> None:
    budget = budget_below(1_000, folder=tmp_path)
    budget.reserve(600).settle(600)
    if left is None:
        (tmp_path / "tokens").unlink()
    else:
        (tmp_path / "tokens").write_text(left)
    with pytest.raises(CeilingReachedError, match="600 are used"):
        budget.reserve(500)
    budget.reserve(400)
