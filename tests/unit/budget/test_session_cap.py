from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.budget.session_cap import SessionTokenCap
from pytest_refinery.errors import BudgetError, CeilingReachedError
from tests.unit.analysts.model.fakes import RecordingBudget, RecordingLease

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from pytest_refinery.analysis.ports import Work


def test_what_goes_above_the_ceiling_is_refused_and_not_booked() -> None:
    inner = RecordingBudget()
    budget = SessionTokenCap(inner, 1_000)
    budget.reserve(600)
    with pytest.raises(CeilingReachedError, match=r"may use 1,000 tokens .*: 600 are used, .* takes about 500\."):
        budget.reserve(500)
    assert inner.reserved == [600]
    budget.reserve(400)


def test_what_was_reserved_and_not_used_is_given_back() -> None:
    budget = SessionTokenCap(RecordingBudget(), 1_000)
    budget.reserve(900).settle(100)
    budget.reserve(900).settle(0)
    budget.reserve(900)
    with pytest.raises(CeilingReachedError):
        budget.reserve(1)


def test_what_was_not_granted_is_given_back() -> None:
    class Closed(RecordingBudget):
        def reserve(
            self,
            tokens: int,
            requests: int = 1,
            *,
            work: Work | None = None,
            timeout: float | None = None,
            cancelled: Event | None = None,
        ) -> RecordingLease:
            raise BudgetError("not in time")

    budget = SessionTokenCap(Closed(), 1_000)
    for _ in range(3):
        with pytest.raises(BudgetError, match="not in time"):
            budget.reserve(900)


def test_workers_count_together(tmp_path: Path) -> None:
    budgets = [SessionTokenCap(RecordingBudget(), 1_000, folder=tmp_path / "shared") for _ in range(4)]
    granted: list[int] = []

    def work(budget: SessionTokenCap) -> None:
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


def test_the_rest_is_the_other_budgets() -> None:
    inner = RecordingBudget(wait=2.5)
    budget = SessionTokenCap(inner, 1_000)
    assert budget.refused({}, "Slow down.", code="x", attempt=1) == 2.5
    budget.observe({"a": "b"})
    assert (inner.refusals, inner.observed) == ([("Slow down.", 1)], [{"a": "b"}])
    assert budget.largest_request == 30_000


@pytest.mark.parametrize("left", ["", "12x", "-5", None])
def test_a_count_that_was_cut_or_deleted_goes_on_with_what_this_process_knows(tmp_path: Path, left: str | None) -> None:
    budget = SessionTokenCap(RecordingBudget(), 1_000, folder=tmp_path)
    budget.reserve(600).settle(600)
    if left is None:
        (tmp_path / "tokens").unlink()
    else:
        (tmp_path / "tokens").write_text(left)
    with pytest.raises(CeilingReachedError, match="600 are used"):
        budget.reserve(500)
    budget.reserve(400)
