"""Teams with a leader who gives orders: what a worker brought back beside what it was asked for."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules.facts import texts
from pytest_refinery.analysts.rules.findings import Found, quoted, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.traces.conversation import Step

_LITTLE = 0.34
_SAME = 0.8


def unfulfilled_orders(facts: TraceFacts) -> Iterator[Found]:
    """Find a worker whose report has little of what it was ordered to bring."""
    for place, (order, report) in enumerate(orders(facts)):
        wanted = facts.stems(order) - facts.stems(facts.steps[0])
        brought = facts.stems(report)
        share = len(wanted & brought) / len(wanted) if wanted else 1.0
        if share <= _LITTLE:
            yield Found(
                rule="unfulfilled_order",
                step=report,
                what=f"{report.speaker} was to do this: {said(facts, order)} What it brings back has little of it: "
                f"{said(facts, report)}",
                failure_type=FailureType.RETRIEVAL_ISSUE,
                points=0.3 * (1 - share) * 0.9**place,
                quotes=(quoted(facts, order, ""), quoted(facts, report, "")),
                texts=(report.text[:400],),
                holds=lambda case, order=order, report=report: (  # type: ignore[misc]
                    len((case.stems(order) - case.stems(case.steps[0])) & case.stems(report))
                    <= _LITTLE * len(case.stems(order))
                ),
            )


def orders(facts: TraceFacts) -> Iterator[tuple[Step, Step]]:
    """Yield each order of a leader with the worker's report that follows."""
    last: Step | None = None
    for step in facts.agent_steps if facts.parties.leaders else ():
        if step.speaker in facts.parties.leaders:
            last = step if _is_order(facts, step) else last
        elif last is not None:
            yield last, step
            last = None


def _is_order(facts: TraceFacts, step: Step) -> bool:
    """Tell whether a leader addresses a worker: it asks for something, and a worker speaks next."""
    return bool(facts.cues.find("orders", step.text[:600])) and not step.text.lstrip().startswith("{")


def repeated_orders(facts: TraceFacts) -> Iterator[Found]:
    """Find an order that the leader had to give again: the report before it did not fulfil it."""
    given = list(orders(facts))
    for (one, report), (other, _) in itertools.pairwise(given):
        first, second = facts.stems(one), texts.content(other.text, facts.cues)
        if first and len(first & second) >= _SAME * len(first):
            yield Found(
                rule="order_given_again",
                step=report,
                what=f"After this report of {report.speaker} the same order is given again in step {other.run_number}: "
                f"{said(facts, other)}",
                failure_type=FailureType.RETRIEVAL_ISSUE,
                points=0.25,
                quotes=(quoted(facts, report, ""), quoted(facts, other, "")),
                texts=(report.text[:400],),
                holds=lambda case, one=one, other=other: (  # type: ignore[misc]
                    len(case.stems(one) & texts.content(other.text, case.cues)) >= _SAME * len(case.stems(one))
                ),
            )


def final_reports(facts: TraceFacts) -> Iterator[Found]:
    """Find the last report of a worker, after which the leader answers."""
    given = list(orders(facts))
    if given:
        _, report = given[-1]
        yield Found(
            rule="last_report",
            step=report,
            what=f"The leader answers after this report of {report.speaker}: {said(facts, report)}",
            failure_type=FailureType.RETRIEVAL_ISSUE,
            points=0.15,
            quotes=(quoted(facts, report, ""),),
            texts=(report.text[:400],),
            holds=lambda case: list(orders(case))[-1][1] is report,
        )
