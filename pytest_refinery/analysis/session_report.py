"""From the records of all items to the report: counted, grouped by cause, compared with an earlier run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis import gate, history
from pytest_refinery.analysis.records import Change, Comparison, Outcome, Report, RootCause, SessionRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from pytest_refinery.analysis.gate import Baseline
    from pytest_refinery.analysis.records import ItemRecord, SessionPlan, SummaryResult
    from pytest_refinery.analysis.schemas import StageReport

    Dollars = Callable[[str, int, int], float | None]


def compile_report(
    records: Iterable[ItemRecord],
    *,
    plugin_version: str,
    dollars: Dollars = lambda *_: None,
    plan: SessionPlan | None = None,
    summary_result: SummaryResult | None = None,
    baseline: Baseline | None = None,
    replayed: Collection[str] = (),
) -> Report:
    """Return the report over all items, in the order of their files and lines.

    Args:
        records: One for each item.
        plugin_version: Our own.
        dollars: Says the price of a model's input and output tokens, ``None`` where it is not known.
        plan: What the run would cost, where it was asked to spend nothing.
        summary_result: How a model groups the failures and what it says of them, where one was asked.
        baseline: An earlier run to compare with.
        replayed: The ids of items whose answers came from a cassette: nothing was spent on them.
    """
    marked = (each.model_copy(update={"is_replayed": True}) if each.nodeid in replayed else each for each in records)
    items = ordered(marked)
    baseline = baseline.seen_from(items) if baseline else None
    items = gate.changes(items, baseline) if baseline else items
    grouped = summary_result.grouped if summary_result else None
    causes = _by_severity(grouped.causes if grouped else root_causes(items), items)
    if baseline is not None:
        causes = tuple(_with_history(cause, items) for cause in causes)
    session = _session(items, plugin_version, dollars, plan, summary_result, replayed)
    said = grouped.summary if grouped else _in_common(causes, session)
    return Report(
        session=session,
        expectations=items,
        root_causes=causes,
        executive_summary=f"{outcomes(session)} {said}".strip(),
        comparison=_comparison(items, baseline) if baseline else None,
    )


def ordered(records: Iterable[ItemRecord]) -> tuple[ItemRecord, ...]:
    """Return the records in the order of their files and lines."""
    return tuple(sorted(records, key=lambda item: (item.expectation.file, item.expectation.line, item.nodeid)))


def root_causes(items: Iterable[ItemRecord]) -> tuple[RootCause, ...]:
    """Group the failures of which a cause was found by its words, the most frequent first."""
    groups: dict[tuple[str, str], list[ItemRecord]] = {}
    for item in items:
        # What was expected to fail is diagnosed on request, and is no failure.
        if item.outcome is Outcome.FAILED and item.diagnosis is not None and item.diagnosis.is_determined:
            key = (item.diagnosis.kind, " ".join(item.diagnosis.shared_cause.casefold().split()))
            groups.setdefault(key, []).append(item)
    found = [
        RootCause(cause=_cause(members), failure_type=kind, nodeids=tuple(member.nodeid for member in members))
        for (kind, _), members in groups.items()
    ]
    return by_frequency(found)


def _by_severity(causes: Iterable[RootCause], items: Iterable[ItemRecord]) -> tuple[RootCause, ...]:
    """Return the causes with their severity, the worst first."""
    known = {item.nodeid: item.expectation.severity for item in items}
    rated = [
        cause.model_copy(
            update={
                "severity": min(
                    (known[each] for each in cause.nodeids if each in known),
                    key=lambda severity: severity.rank,
                    default=cause.severity,
                )
            }
        )
        for cause in causes
    ]
    return tuple(sorted(rated, key=lambda cause: cause.severity.rank))


def failures_first(items: Iterable[ItemRecord]) -> tuple[ItemRecord, ...]:
    """Return the items for people: what failed before what could not be decided, the most severe first."""
    order = [Outcome.FAILED, Outcome.UNDECIDED, Outcome.SKIPPED, Outcome.PASSED]
    return tuple(sorted(items, key=lambda item: (order.index(item.outcome), item.expectation.severity.rank)))


def by_frequency(causes: Iterable[RootCause]) -> tuple[RootCause, ...]:
    """Return the causes with the most failures first."""
    return tuple(sorted(causes, key=lambda cause: -len(cause.nodeids)))


def _cause(members: list[ItemRecord]) -> str:
    found = members[0].diagnosis
    if found is None:
        return ""
    return (found.root_cause or "") if len(members) == 1 else found.shared_cause


def _with_history(cause: RootCause, items: Iterable[ItemRecord]) -> RootCause:
    is_known = any(item.is_known for item in items if item.nodeid in cause.nodeids)
    return cause.model_copy(update={"is_known": is_known})


def _comparison(items: tuple[ItemRecord, ...], baseline: Baseline) -> Comparison:
    failed = [item for item in items if item.outcome is Outcome.FAILED]
    known = sum(item.change is Change.STILL_FAILING for item in failed)
    return Comparison(
        earlier=baseline.past.name,
        new=len(failed) - known,
        known=known,
        gone=history.fixed_causes(items, baseline.past),
        changes={change: n for change in Change if (n := sum(item.change is change for item in items))},
        missing=history.missing(items, baseline.past) if baseline.is_whole else (),
        gate=gate.decide(items, baseline),
    )


def _session(
    items: tuple[ItemRecord, ...],
    plugin_version: str,
    dollars: Dollars,
    plan: SessionPlan | None,
    summary_result: SummaryResult | None,
    replayed: Collection[str],
) -> SessionRecord:
    counts = {outcome: sum(item.outcome == outcome for item in items) for outcome in Outcome}
    diagnoses = [item.diagnosis for item in items if item.diagnosis is not None]
    summary = summary_result.record if summary_result else None
    spent = [pair for item in items if item.nodeid not in replayed for pair in _spent(item)]
    spent += [(summary.model, summary.cost)] if summary and not summary.cached else []
    stages = [stage for _, stage in spent]
    verified = sum(each.verification.tokens for each in diagnoses if each.verification)
    return SessionRecord(
        plugin_version=plugin_version,
        analysts=tuple(sorted({diagnosis.analyst for diagnosis in diagnoses})),
        expectations=len(items),
        passed=counts[Outcome.PASSED],
        failed=counts[Outcome.FAILED],
        undecided=counts[Outcome.UNDECIDED],
        skipped=counts[Outcome.SKIPPED],
        tokens=verified + sum(stage.input_tokens + stage.output_tokens for stage in stages),
        cached=sum(diagnosis.cached for diagnosis in diagnoses),
        replayed=sum(item.nodeid in replayed for item in items),
        # Which models a verification asked is not known here.
        dollars=None if verified else _dollars(spent, dollars),
        seconds_waited=round(sum(stage.seconds_waited for stage in stages), 3),
        plan=plan,
        summary=summary,
    )


def session_cost(item: ItemRecord) -> int:
    """Return the tokens that an item cost in this session."""
    return sum(stage.input_tokens + stage.output_tokens for _, stage in _spent(item))


def _spent(item: ItemRecord) -> Iterator[tuple[str, StageReport]]:
    """Yield what was spent on an item in this session, each stage with the model that was asked."""
    judges = [trial.judge for trial in item.agent.trials] if item.agent else [item.judge]
    yield from ((judge.model, judge.cost) for judge in judges if judge is not None and not judge.cached)
    if item.diagnosis is not None and not item.diagnosis.cached:
        yield from ((stage.model or item.diagnosis.model, stage) for stage in item.diagnosis.stages)


def _dollars(spent: Iterable[tuple[str, StageReport]], dollars: Dollars) -> float | None:
    """Return the price of all stages of a model, ``None`` where one of them is unknown or there are none."""
    prices = [dollars(model, stage.input_tokens, stage.output_tokens) for model, stage in spent if model]
    known = [price for price in prices if price is not None]
    return round(sum(known), 6) if known and len(known) == len(prices) else None


def outcomes(session: SessionRecord) -> str:
    """Return how many expectations there are of each outcome."""
    counts = {
        "failed": session.failed,
        "undecided": session.undecided,
        "passed": session.passed,
        "skipped": session.skipped,
    }
    found = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{found or 'No expectation was run'}."


def _in_common(causes: Sequence[RootCause], session: SessionRecord) -> str:
    """Return what the causes say together."""
    if not causes:
        return ""
    top = causes[0]
    if len(top.nodeids) > 1:
        return f"Most frequent cause, {len(top.nodeids)} of {session.failed} failures: {top.cause}"
    return f"Why: {top.cause}" if len(causes) == 1 else "Each failure has a cause of its own."
