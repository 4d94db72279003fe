"""What a run reports: one record an item, one for the session.

These are the models behind ``report.refinery`` and ``report.json``; ``docs/reference/report-json.md``
describes them for readers of the file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from pytest_refinery.analysis.schemas import SCHEMA_VERSION, Diagnosis, Evidence, StageReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Outcome(StrEnum):
    """How an expectation came out."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    SKIPPED = "skipped"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ExpectationRecord(_Frozen):
    """The expectation as the expert wrote it, and where (1-based line)."""

    id: str
    expect: str
    business_context: str = ""
    file: str
    line: int
    tags: tuple[str, ...] = ()


class TraceRecord(_Frozen):
    """The trace that was judged."""

    id: str
    name: str
    source: str
    format: str
    runs: int
    notes: tuple[str, ...] = ()


class CheckRecord(_Frozen):
    """One check and how it came out."""

    name: str
    passed: bool
    expected: str
    actual: str
    run_id: str | None = None
    run_name: str | None = None


class JudgeVerdict(StrEnum):
    """What the judge says of an expectation."""

    MET = "met"
    NOT_MET = "not met"
    UNDECIDED = "undecided"


class JudgeRecord(_Frozen):
    """The model's verdict, where no check decides.

    ``met`` and ``not_met`` count the trials that ended so; ``quotes`` were found again in the trace.
    """

    model: str
    verdict: JudgeVerdict
    trials: int = 1
    met: int = 0
    not_met: int = 0
    pass_rate: float = 1.0
    reasons: tuple[str, ...] = ()
    quotes: tuple[Evidence, ...] = ()
    cost: StageReport
    notes: tuple[str, ...] = ()


class PlanRecord(_Frozen):
    """What an item would cost that was neither judged nor diagnosed: requests and tokens."""

    calls: int = 0
    input_tokens: int = 0
    least_output_tokens: int = 0
    most_output_tokens: int = 0


class ItemRecord(_Frozen):
    """One item: ``error`` says why there is no verdict, or no (whole) diagnosis; ``plan`` what it would cost."""

    nodeid: str
    outcome: Outcome
    expectation: ExpectationRecord
    trace: TraceRecord | None = None
    checks: tuple[CheckRecord, ...] = ()
    judge: JudgeRecord | None = None
    diagnosis: Diagnosis | None = None
    error: str | None = None
    plan: PlanRecord | None = None


class RootCause(_Frozen):
    """Failures of one cause."""

    cause: str
    failure_type: str
    nodeids: tuple[str, ...]


class SessionPlan(PlanRecord):
    """What a run would cost.

    ``minutes`` is the least time at the limit of ``tokens_per_minute``; ``least_dollars`` and ``most_dollars`` are
    ``None`` where the price of ``model`` is not known.
    """

    items: int
    model: str
    tokens_per_minute: int
    minutes: float
    least_dollars: float | None = None
    most_dollars: float | None = None


class SessionRecord(_Frozen):
    """The run as a whole: sums over all that was diagnosed and judged in it.

    Attributes:
        cached: Diagnoses that were made in an earlier session.
        dollars: What the tokens cost, ``None`` where a price is not known.
        plan: What the run would cost, where it was asked to spend nothing.
    """

    plugin_version: str
    analysts: tuple[str, ...] = ()
    expectations: int
    passed: int
    failed: int
    undecided: int
    skipped: int = 0
    cached: int = 0
    tokens: int = 0
    dollars: float | None = None
    seconds_waited: float = 0.0
    plan: SessionPlan | None = None


class Report(_Frozen):
    """The whole of ``report.json``."""

    schema_version: int = SCHEMA_VERSION
    session: SessionRecord
    expectations: tuple[ItemRecord, ...]
    root_causes: tuple[RootCause, ...]
    executive_summary: str


def compile_report(
    records: Iterable[ItemRecord],
    *,
    plugin_version: str,
    dollars: Callable[[str, int, int], float | None] = lambda *_: None,
    plan: SessionPlan | None = None,
) -> Report:
    """Return the report over all items, in the order of their files and lines.

    ``dollars`` says the price of a model's input and output tokens, ``None`` where it is not known.
    """
    items = tuple(sorted(records, key=lambda item: (item.expectation.file, item.expectation.line, item.nodeid)))
    causes = root_causes(items)
    session = _session(items, plugin_version, dollars, plan)
    return Report(
        session=session,
        expectations=items,
        root_causes=causes,
        executive_summary=_executive_summary(session, causes),
    )


def root_causes(items: Iterable[ItemRecord]) -> tuple[RootCause, ...]:
    """Group the diagnosed failures by cause, the most frequent first."""
    groups: dict[tuple[str, str], list[ItemRecord]] = {}
    for item in items:
        if item.diagnosis is not None:
            key = (item.diagnosis.failure_type.value, _cause_key(item.diagnosis))
            groups.setdefault(key, []).append(item)
    found = [
        RootCause(cause=_cause(members), failure_type=kind, nodeids=tuple(member.nodeid for member in members))
        for (kind, _), members in groups.items()
    ]
    return tuple(sorted(found, key=lambda cause: -len(cause.nodeids)))


def _cause_key(diagnosis: Diagnosis) -> str:
    return " ".join((diagnosis.cause or diagnosis.root_cause).casefold().split())


def _cause(members: list[ItemRecord]) -> str:
    diagnosis = members[0].diagnosis
    if diagnosis is None:
        return ""
    return diagnosis.root_cause if len(members) == 1 else diagnosis.cause or diagnosis.root_cause


def _session(
    items: tuple[ItemRecord, ...],
    plugin_version: str,
    dollars: Callable[[str, int, int], float | None],
    plan: SessionPlan | None,
) -> SessionRecord:
    counts = {outcome: sum(item.outcome == outcome for item in items) for outcome in Outcome}
    diagnoses = [item.diagnosis for item in items if item.diagnosis is not None]
    spent = [pair for item in items for pair in _spent(item)]
    stages = [stage for _, stage in spent]
    return SessionRecord(
        plugin_version=plugin_version,
        analysts=tuple(sorted({diagnosis.analyst for diagnosis in diagnoses})),
        expectations=len(items),
        passed=counts[Outcome.PASSED],
        failed=counts[Outcome.FAILED],
        undecided=counts[Outcome.UNDECIDED],
        skipped=counts[Outcome.SKIPPED],
        tokens=sum(stage.input_tokens + stage.output_tokens for stage in stages),
        cached=sum(diagnosis.cached for diagnosis in diagnoses),
        dollars=_dollars(spent, dollars),
        seconds_waited=round(sum(stage.seconds_waited for stage in stages), 3),
        plan=plan,
    )


def _spent(item: ItemRecord) -> Iterator[tuple[str, StageReport]]:
    """Yield what was spent on an item in this session, each stage with the model that was asked."""
    if item.judge is not None:
        yield item.judge.model, item.judge.cost
    if item.diagnosis is not None and not item.diagnosis.cached:
        yield from ((item.diagnosis.model, stage) for stage in item.diagnosis.stages)


def _dollars(
    spent: Iterable[tuple[str, StageReport]], dollars: Callable[[str, int, int], float | None]
) -> float | None:
    """Return the price of all stages of a model, ``None`` where one of them is unknown or there are none."""
    prices = [dollars(model, stage.input_tokens, stage.output_tokens) for model, stage in spent if model]
    known = [price for price in prices if price is not None]
    return round(sum(known), 6) if known and len(known) == len(prices) else None


def _executive_summary(session: SessionRecord, causes: tuple[RootCause, ...]) -> str:
    if not session.expectations:
        return "No expectation was run."
    parts = [f"{session.passed} of {session.expectations} expectations {'holds' if session.passed == 1 else 'hold'}"]
    if session.failed:
        parts.append(f"{session.failed} {'does' if session.failed == 1 else 'do'} not")
    if session.undecided:
        parts.append(f"{session.undecided} could not be decided")
    sentences = [", ".join(parts) + "."]
    if causes:
        top = causes[0]
        sentences.append(f"Most frequent cause, {len(top.nodeids)} of {session.failed} failures: {top.cause}")
    return " ".join(sentences)
