"""What stages answer and what a diagnosis is: the data that crosses every border.

``Diagnosis`` is also the schema of ``report.json`` (``SCHEMA_VERSION``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import ConfigDict, Field

from pytest_refinery.analysis.frozen import Frozen

SCHEMA_VERSION = 3


class FailureType(StrEnum):
    """Where the cause of a failure lies."""

    PROMPT_ISSUE = "prompt_issue"
    CONTEXT_ISSUE = "context_issue"
    TOOL_ISSUE = "tool_issue"
    RETRIEVAL_ISSUE = "retrieval_issue"
    ORCHESTRATION_ISSUE = "orchestration_issue"
    OUTPUT_PARSING_ISSUE = "output_parsing_issue"
    MODEL_LIMITATION = "model_limitation"
    INFRASTRUCTURE = "infrastructure"


class Confidence(StrEnum):
    """How sure an analyst is of its conclusion."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class _Strict(Frozen):
    model_config = ConfigDict(extra="forbid")


class Evidence(_Strict):
    """A quote from a run, and why it matters.

    Attributes:
        run_number: The run's 1-based place; set by code.
        quote: A passage of the run, word for word.
        why: What it shows, in one sentence.
        verified: Whether code has found the quote in the trace; never set by an analyst.
    """

    run_id: str
    run_number: int | None = None
    quote: str
    why: str = ""
    verified: bool = False


class Finding(_Strict):
    """Something that went wrong in one run, as stage 1 sees it.

    Attributes:
        what: One sentence that a domain expert understands.
        rule: The word for this kind of finding; findings of one rule and run are one finding.
        explains: The labels of the failures that it explains (``CheckFailure.label``); empty where it is only noticed.
        weight: How likely this run is the decisive one, 0 to 1; comparable within one analyst.
        run_number: The run's 1-based place, set by code.
    """

    run_id: str
    run_number: int | None = None
    what: str
    failure_type: FailureType
    rule: str = ""
    explains: tuple[str, ...] = ()
    weight: float = Field(default=0.5, ge=0, le=1)
    evidence: tuple[Evidence, ...] = ()


class GroupAnalysis(_Strict):
    """Stage 1 for one group of runs.

    Attributes:
        timeline: What happened, a line for each step that matters.
        runs_read: The ids of the runs whose content the analyst was really given.
    """

    timeline: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    runs_read: tuple[str, ...] = ()


class Gap(_Strict):
    """What was expected beside what was there."""

    expected: str
    actual: str
    run_id: str | None = None


class GapAnalysis(_Strict):
    """Stage 2: what was expected beside what was there.

    Attributes:
        missing_context: What the agent did not know and would have needed, a sentence each.
        wrong_assumptions: What it took for true and was not, a sentence each.
    """

    gaps: tuple[Gap, ...] = ()
    missing_context: tuple[str, ...] = ()
    wrong_assumptions: tuple[str, ...] = ()


class SuggestedFix(_Strict):
    """A change that would have prevented the failure.

    Attributes:
        component: What to change: ``system prompt``, a tool's name, ...
        file: The prompt file to change, where it is one of the suite's.
        before: The text as it is; empty where something is only added.
        after: The text as it should be.
        diff: The change of ``file`` as a unified diff, empty where the text was not found there; set by code.
        verified: Whether a re-run has shown that it helps.
    """

    component: str
    file: str | None = None
    before: str = ""
    after: str = ""
    why: str = ""
    diff: str = ""
    verified: bool = False


class Candidate(_Strict):
    """A run that may be the decisive one.

    Attributes:
        run_number: The run's 1-based place; set by code, as is ``run_name``.
        reason: Why it may be, in one sentence.
        share: How likely, 0 to 1; comparable within one diagnosis.
    """

    run_id: str
    run_number: int | None = None
    run_name: str = ""
    reason: str
    share: float = Field(ge=0, le=1)


class Conclusion(_Strict):
    """Stage 3: the decisive run, which done right would have led to the expected outcome.

    Attributes:
        failure_type: ``None`` where the cause was not determined, as is ``root_cause``; ``cause`` is empty then.
        cause: The cause in words that hold for every failure of its kind; failures are grouped by it.
        root_cause: The cause in this case.
        confidence_basis: What the confidence rests on, in a sentence.
        candidates: The runs that may be decisive, the likeliest first.
    """

    failure_type: FailureType | None = None
    cause: str = ""
    root_cause: str | None = None
    responsible_run_id: str | None = None
    candidates: tuple[Candidate, ...] = ()
    confidence: Confidence = Confidence.LOW
    confidence_basis: str = ""
    evidence: tuple[Evidence, ...] = ()
    affected_components: tuple[str, ...] = ()
    suggested_fix: SuggestedFix | None = None
    executive_summary: str = ""


class Coverage(_Strict):
    """The share of the trace's runs whose content the analyst was given.

    Attributes:
        percentage: 0 to 100.
    """

    runs_total: int
    runs_read: int
    percentage: float
    missing_run_ids: tuple[str, ...] = ()


class VerificationStatus(StrEnum):
    """What was shown about a fix."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    NOT_POSSIBLE = "not_possible"


VerificationWay: TypeAlias = Literal["rerun", "replay"]


class Trials(_Strict):
    """How many of some trials met the expectation."""

    passed: int
    trials: int

    @classmethod
    def of(cls, passed: int, failed: int) -> Trials | None:
        """Return the trials that were decided, ``None`` where there are none."""
        return cls(passed=passed, trials=passed + failed) if passed + failed else None


class Verification(_Strict):
    """What trying a fix showed.

    Attributes:
        how: ``rerun`` of the agent in a copy of the project, or ``replay`` of the decisive call of the model.
        before: The trials without the fix, ``None`` where there were none.
        after: The trials with it.
        lost: The node ids of other expectations that hold without the fix, and not with it.
        unchanged: How many other expectations come out as without it.
        p_value: How likely so many more passes are if the fix changes nothing.
        why: What the status rests on, in a sentence; empty where the numbers say all.
        tokens: What judging or replaying cost; what the agent itself spends is not known.
    """

    status: VerificationStatus
    how: VerificationWay
    before: Trials | None = None
    after: Trials | None = None
    lost: tuple[str, ...] = ()
    unchanged: int = 0
    p_value: float | None = None
    why: str = ""
    tokens: int = 0


class StageReport(_Strict):
    """What one stage cost.

    Attributes:
        model: The model that was asked, where the diagnosis is not its own: it gave no usable answer.
        seconds: All that it took, the waiting included.
        seconds_waited: For the token budget.
    """

    name: str
    model: str = ""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    seconds_waited: float = 0.0


class StalePrompt(_Strict):
    """A prompt file that has changed since the trace was recorded.

    Attributes:
        file: The file, as the repository has it now.
        run_id: The first run that was given another text of it.
        run_number: The run's 1-based place.
        only_in_trace: Sentences and lines of the text then that the file does not have.
        only_in_file: Sentences and lines of the file that the text then did not have.
    """

    file: str
    run_id: str
    run_number: int
    only_in_trace: tuple[str, ...] = ()
    only_in_file: tuple[str, ...] = ()


class Diagnosis(_Strict):
    """The result of the stages for one failed item.

    Attributes:
        failure_type: ``None`` where the cause was not determined, as is ``root_cause``; there are ``candidates`` then.
        candidates: The runs that may be decisive, the likeliest first, three at most.
        confidence_basis: What the confidence rests on, in a sentence.
        responsible_run_path: The names of the runs around the responsible one, the outermost first.
        responsible_run_kind: What it is: ``llm``, ``tool``, ``message``, ...
        call: The tool call that it made or is, as ``name(argument: value)``; empty where there is none.
        result: What that call returned.
        model: The model that the analyst asked, ``""`` where there was none.
        cached: Whether it was made in an earlier session; then ``stages`` says what it cost then.
        findings_left_out: How many findings of less weight are not among ``findings``.
        stale_prompts: Prompt files that have changed since the trace was recorded.
        notes: What went another way than planned, without anything missing; a sentence each.
        partial: Why something is missing, ``None`` where nothing is.
        verification: What trying the suggested fix showed, ``None`` where it was not tried.
    """

    failure_type: FailureType | None
    cause: str = ""
    root_cause: str | None
    responsible_run_id: str | None
    responsible_run_name: str | None
    responsible_run_number: int | None = None
    responsible_run_path: tuple[str, ...] = ()
    responsible_run_kind: str = ""
    call: str = ""
    result: str = ""
    candidates: tuple[Candidate, ...] = ()
    confidence: Confidence
    confidence_basis: str = ""
    evidence: tuple[Evidence, ...] = ()
    gaps: tuple[Gap, ...] = ()
    missing_context: tuple[str, ...] = ()
    wrong_assumptions: tuple[str, ...] = ()
    affected_components: tuple[str, ...] = ()
    suggested_fix: SuggestedFix | None = None
    executive_summary: str = ""
    findings: tuple[Finding, ...] = ()
    findings_left_out: int = 0
    coverage: Coverage
    analyst: str
    model: str = ""
    cached: bool = False
    stages: tuple[StageReport, ...] = ()
    stale_prompts: tuple[StalePrompt, ...] = ()
    notes: tuple[str, ...] = ()
    partial: str | None = None
    verification: Verification | None = None

    def with_verification(self, found: Verification) -> Diagnosis:
        """Return the diagnosis with what trying its fix has shown."""
        fix = self.suggested_fix
        verified = fix and fix.model_copy(update={"verified": found.status is VerificationStatus.CONFIRMED})
        return self.model_copy(update={"verification": found, "suggested_fix": verified})

    @property
    def is_determined(self) -> bool:
        """Whether a cause was found."""
        return self.root_cause is not None

    @property
    def also_noticed(self) -> tuple[Finding, ...]:
        """The findings that do not explain what failed; where an analyst does not say, those about other runs."""
        if any(finding.explains for finding in self.findings):
            return tuple(finding for finding in self.findings if not finding.explains)
        return tuple(finding for finding in self.findings if finding.run_id != self.responsible_run_id)

    @property
    def kind(self) -> str:
        """The failure type as a word, ``""`` where no cause was found."""
        return self.failure_type.value if self.failure_type else ""

    @property
    def shared_cause(self) -> str:
        """The cause in words that hold for every failure of its kind, ``""`` where none was found."""
        return (self.cause or self.root_cause or "") if self.is_determined else ""
