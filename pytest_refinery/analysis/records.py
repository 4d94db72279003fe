"""What a run reports: one record an item, one for the session.

These are the models behind ``report.refinery`` and ``report.json``; ``docs/reference/report-json.md``
describes them for readers of the file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import Field

from pytest_refinery.analysis.divergence import Divergence
from pytest_refinery.analysis.frozen import Frozen
from pytest_refinery.analysis.schemas import SCHEMA_VERSION, Diagnosis, Evidence, StageReport
from pytest_refinery.expectations.severity import Severity


class Outcome(StrEnum):
    """How an expectation came out."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    SKIPPED = "skipped"


class Change(StrEnum):
    """How an expectation stands beside the baseline.

    ``FLAKY`` came out otherwise, with trials that come out both ways and do not differ beyond chance.
    """

    NEW_FAILURE = "new failure"
    STILL_FAILING = "still failing"
    FIXED = "fixed"
    FLAKY = "flaky"
    NEW = "new"


class ExpectationRecord(Frozen):
    """The expectation as the expert wrote it, and where (1-based line)."""

    id: str
    expect: str
    business_context: str = ""
    severity: Severity = Severity.MEDIUM
    file: str
    line: int
    tags: tuple[str, ...] = ()


class PromptsRecord(Frozen):
    """The system prompts and templates of a trace, and the files that the expectation names.

    Attributes:
        found: How many prompts the trace has.
        files: How many prompt files the expectation names.
        matching: How many of these the trace has a rendering of.
        evals: How many eval files it names.
    """

    found: int
    files: int = 0
    matching: int = 0
    evals: int = 0


class TraceRecord(Frozen):
    """The trace that was judged; ``is_rerun`` where an agent was re-run for it, instead of one recorded before.

    Attributes:
        asked: What the agent was asked last, of a trace that does not meet its expectation.
        answered: What it answered in the end.
        url: The address of its page, where the expectation names it by one.
        prompts: What is known of its prompts; ``None`` where no one has looked.
    """

    id: str
    name: str
    source: str
    format: str
    runs: int
    notes: tuple[str, ...] = ()
    is_rerun: bool = False
    asked: str = ""
    answered: str = ""
    url: str | None = None
    prompts: PromptsRecord | None = None


class CheckRecord(Frozen):
    """One check and its result.

    Attributes:
        text: The words of the trace that it objects to.
        label: The check with its argument, in short.
    """

    name: str
    passed: bool
    expected: str
    actual: str
    text: str | None = None
    label: str = ""
    run_id: str | None = None
    run_name: str | None = None


class JudgeVerdict(StrEnum):
    """What the judge says of an expectation."""

    MET = "met"
    NOT_MET = "not met"
    UNDECIDED = "undecided"


class JudgeRecord(Frozen):
    """The model's verdict, where no check decides.

    ``met`` and ``not_met`` count the trials that ended so; ``quotes`` were found again in the trace. A ``cached``
    verdict was given in an earlier session; then ``cost`` says what it cost then.
    """

    model: str
    verdict: JudgeVerdict
    cached: bool = False
    trials: int = 1
    met: int = 0
    not_met: int = 0
    pass_rate: float = 1.0
    reasons: tuple[str, ...] = ()
    quotes: tuple[Evidence, ...] = ()
    cost: StageReport
    notes: tuple[str, ...] = ()


class TrialRecord(Frozen):
    """One run of the agent and how it came out; ``error`` says why that is open."""

    number: int
    outcome: Outcome
    trace: TraceRecord | None = None
    checks: tuple[CheckRecord, ...] = ()
    judge: JudgeRecord | None = None
    error: str | None = None


class AgentRecord(Frozen):
    """The agent that was re-run, and each of its trials.

    Attributes:
        target: ``package.module:callable``.
        wanted: How many trials had to meet the expectation.
        shown: The number of the trial that the item's trace, checks, judge and diagnosis are of.
    """

    target: str
    wanted: int
    shown: int
    trials: tuple[TrialRecord, ...]

    @property
    def met(self) -> int:
        """How many trials met the expectation."""
        return sum(trial.outcome == Outcome.PASSED for trial in self.trials)


class PlanRecord(Frozen):
    """What an item would cost that was neither judged nor diagnosed: requests and tokens.

    Attributes:
        calls_if_failed: The requests that a judged item takes besides, where it fails and is diagnosed.
        input_tokens_if_failed: What these send.
        most_output_tokens_if_failed: The longest answers to them.
    """

    calls: int = 0
    input_tokens: int = 0
    least_output_tokens: int = 0
    most_output_tokens: int = 0
    calls_if_failed: int = 0
    input_tokens_if_failed: int = 0
    most_output_tokens_if_failed: int = 0


class ItemRecord(Frozen):
    """One item: ``error`` says why there is no verdict, or no (whole) diagnosis; ``plan`` what it would cost.

    Where an agent was re-run, trace, checks, judge and diagnosis are those of one of its trials.

    ``is_replayed`` says that its answers came from a cassette; ``change`` how it stands compared with the baseline,
    ``None`` where it passes as there or nothing is compared; ``is_known`` whether a failure was there too;
    ``divergence`` where the trace of a re-run agent parts from the one that passed there.
    """

    nodeid: str
    outcome: Outcome
    expectation: ExpectationRecord
    trace: TraceRecord | None = None
    checks: tuple[CheckRecord, ...] = ()
    judge: JudgeRecord | None = None
    diagnosis: Diagnosis | None = None
    error: str | None = None
    plan: PlanRecord | None = None
    agent: AgentRecord | None = None
    is_replayed: bool = False
    is_known: bool | None = None
    change: Change | None = None
    divergence: Divergence | None = None

    @property
    def has_cause(self) -> bool:
        """Whether it was diagnosed, and a cause was found."""
        return self.diagnosis is not None and self.diagnosis.is_determined


class RootCause(Frozen):
    """Failures of one cause.

    Attributes:
        advice: What to do about it, empty where it is not known.
        severity: The worst of its failures.
        is_known: Whether an earlier run had it too, ``None`` where there is none to compare with.
    """

    cause: str
    failure_type: str
    nodeids: tuple[str, ...]
    advice: str = ""
    severity: Severity = Severity.MEDIUM
    is_known: bool | None = None


FailOn: TypeAlias = Literal["any", "new", "regression"]
"""Which failures fail the run: any, those that the baseline does not have, or those that chance does not explain."""


class GateVerdict(StrEnum):
    """Whether a run is worse than its baseline."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Gate(Frozen):
    """The verdict on a run beside its baseline.

    Attributes:
        why: Which expectations it rests on, in a sentence; empty where it passes.
        alpha: How often a run that is no worse may fail by chance.
        p_value: The least chance of the drops that were seen, ``None`` where chance plays no part.
        more_trials: With how many trials in both runs the drops that were seen would be decided.
    """

    fail_on: FailOn
    verdict: GateVerdict
    why: str = ""
    alpha: float
    p_value: float | None = None
    more_trials: int | None = None


class Comparison(Frozen):
    """How this run stands beside an earlier one, the baseline.

    Attributes:
        earlier: What it is compared with, in words.
        new: How many failures it does not have.
        known: How many it has.
        gone: Causes of the earlier run of which every expectation passes now.
        changes: How many expectations there are of each change.
        missing: The node ids of expectations that only the earlier run has; empty where only a part was run.
        gate: Whether the run is worse, ``None`` where any failure fails it.
    """

    earlier: str
    new: int = 0
    known: int = 0
    gone: tuple[RootCause, ...] = ()
    changes: dict[Change, int] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    gate: Gate | None = None


class SummaryRecord(Frozen):
    """What the summary over all failures cost where a model was asked, and why it gave no answer where it did not.

    ``cached`` says that it was made in an earlier session.
    """

    model: str
    cost: StageReport
    cached: bool = False
    problem: str | None = None


class GroupedFailures(Frozen):
    """How the failures of a session are grouped, and what is said of all of them."""

    summary: str
    causes: tuple[RootCause, ...]


class SummaryResult(Frozen):
    """What came of asking for a summary: ``grouped`` is ``None`` where there was no usable answer."""

    grouped: GroupedFailures | None
    record: SummaryRecord


class SessionPlan(PlanRecord):
    """What a run would cost.

    ``minutes`` is the least time at the limit of ``tokens_per_minute``; ``least_dollars`` and ``most_dollars`` are
    ``None`` where the price of ``model`` is not known. The first is that of the shortest answers if all judged items
    pass, the second that of the longest if all fail.
    """

    items: int
    model: str
    tokens_per_minute: int
    minutes: float
    least_dollars: float | None = None
    most_dollars: float | None = None


class SessionRecord(Frozen):
    """The run as a whole: sums over all that was diagnosed and judged in it.

    Attributes:
        cached: Diagnoses that were made in an earlier session.
        replayed: Items whose answers came from a cassette; the sums leave out what they cost when it was recorded.
        dollars: What the tokens cost, ``None`` where a price is not known.
        plan: What the run would cost, where it was asked to spend nothing.
        summary: How the summary over all failures was made, ``None`` where it was made by rules.
    """

    plugin_version: str
    analysts: tuple[str, ...] = ()
    expectations: int
    passed: int
    failed: int
    undecided: int
    skipped: int = 0
    cached: int = 0
    replayed: int = 0
    tokens: int = 0
    dollars: float | None = None
    seconds_waited: float = 0.0
    plan: SessionPlan | None = None
    summary: SummaryRecord | None = None


class Report(Frozen):
    """The whole of ``report.json``."""

    schema_version: int = SCHEMA_VERSION
    session: SessionRecord
    expectations: tuple[ItemRecord, ...]
    root_causes: tuple[RootCause, ...]
    executive_summary: str
    comparison: Comparison | None = None
