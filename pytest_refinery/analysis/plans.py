"""What a run would cost: forecasts, added up. Pure arithmetic."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_refinery.analysis.records import PlanRecord, SessionPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_refinery.analysis.ports import Forecast


def of(forecast: Forecast) -> PlanRecord:
    """Return a forecast as a record."""
    return PlanRecord(**asdict(forecast))


def total(plans: Iterable[PlanRecord]) -> PlanRecord:
    """Return the sum of all."""
    added = [tuple(plan.model_dump().values()) for plan in plans]
    sums = (sum(column) for column in zip(*added, strict=True)) if added else ()
    return PlanRecord(**dict(zip(PlanRecord.model_fields, sums, strict=False)))


def times(plan: PlanRecord, count: int) -> PlanRecord:
    """Return the plan of doing the same ``count`` times."""
    return total([plan] * count)


def if_failed(plan: PlanRecord, more: PlanRecord) -> PlanRecord:
    """Return a plan of which what is asked ``more`` depends on a failure."""
    return plan.model_copy(
        update={
            "calls_if_failed": more.calls,
            "input_tokens_if_failed": more.input_tokens,
            "most_output_tokens_if_failed": more.most_output_tokens,
        }
    )


def session(
    plans: Sequence[PlanRecord],
    *,
    model: str,
    limit: int,
    dollars: Callable[[str, int, int], float | None],
    summary: PlanRecord | None = None,
) -> SessionPlan:
    """Return what all of it would cost with ``model``, at a ``limit`` of tokens per minute.

    ``summary`` is what would be asked at the end, about all items together.
    """
    added = total([*plans, *([summary] if summary else [])])
    least, most = added.least_output_tokens, added.most_output_tokens + added.most_output_tokens_if_failed
    return SessionPlan(
        **added.model_dump(),
        items=len(plans),
        model=model,
        tokens_per_minute=limit,
        minutes=round(minutes(added.input_tokens + least, limit=limit), 2),
        least_dollars=dollars(model, added.input_tokens, least),
        most_dollars=dollars(model, added.input_tokens + added.input_tokens_if_failed, most),
    )


def minutes(tokens: int, *, limit: int) -> float:
    """Return the least minutes in which ``tokens`` pass a limit of so many a minute, as a bucket counts them."""
    return max(0.0, tokens / limit - 1)
