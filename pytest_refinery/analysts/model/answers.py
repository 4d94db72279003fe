"""What a model is asked to answer: runs by their number, evidence as exact quotes.

The models are the schemas of structured output; ``schema`` makes them strict. Their field order is the order in
which a model writes, so what it should think of first stands first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_refinery.analysis.schemas import (
    Conclusion,
    Confidence,
    Evidence,
    FailureType,
    Finding,
    Gap,
    GapAnalysis,
    SuggestedFix,
)
from pytest_refinery.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_refinery.traces.model import Trace

_WEIGHTS = {"critical": 0.9, "major": 0.6, "minor": 0.3}
_SHOWN = 80
# The descriptions are our docstrings; what a model has to know of a field, the prompt says.
_NOT_FOR_THE_MODEL = frozenset({"default", "title", "description"})


class UnusableAnswerError(AnalysisError):
    """The model wrote something that is not the answer to the question."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Quote(_Answer):
    """An exact quote from a run."""

    run: int
    quote: str
    why: str = ""


class CandidateError(_Answer):
    """A step that may have led to the failure."""

    run: int
    what: str
    failure_type: FailureType
    severity: Literal["critical", "major", "minor"] = "major"
    quotes: tuple[Quote, ...] = ()


class GroupAnswer(_Answer):
    """Stage 1."""

    timeline: tuple[str, ...] = ()
    findings: tuple[CandidateError, ...]


class GapItem(_Answer):
    """What was expected beside what was there."""

    expected: str
    actual: str
    run: int | None = None


class GapAnswer(_Answer):
    """Stage 2."""

    gaps: tuple[GapItem, ...]
    missing_context: tuple[str, ...] = ()
    wrong_assumptions: tuple[str, ...] = ()


class Fix(_Answer):
    """A change that would have helped."""

    component: str
    file: str | None = None
    before: str = ""
    after: str = ""
    why: str = ""


class ConclusionAnswer(_Answer):
    """Stage 3."""

    counterfactual: str = ""
    decisive_run: int | None
    failure_type: FailureType
    root_cause: str
    cause: str = ""
    confidence: Confidence = Confidence.LOW
    evidence: tuple[Quote, ...] = ()
    affected_components: tuple[str, ...] = ()
    suggested_fix: Fix | None = None
    executive_summary: str = ""


class JudgeAnswer(_Answer):
    """The judge's verdict."""

    reasons: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    verdict: Literal["met", "not_met", "undecided"]


class Remark(_Answer):
    """Something in a run that speaks for or against an expectation."""

    run: int
    what: str
    quote: str = ""


class RemarksAnswer(_Answer):
    """What the judge noted down about a part of a trace."""

    findings: tuple[Remark, ...] = Field(default=())


class CauseItem(_Answer):
    """What groups of failures have in common."""

    groups: tuple[int, ...]
    cause: str
    advice: str = ""


class SummaryAnswer(_Answer):
    """What the failures of a session have in common."""

    causes: tuple[CauseItem, ...]
    executive_summary: str = ""


A = TypeVar("A", bound=BaseModel)


def parse(kind: type[A], text: str) -> A:
    """Return the answer in ``text``, also where a code fence or a sentence surrounds it.

    Raises:
        UnusableAnswerError: There is none.
    """
    start, end = text.find("{"), text.rfind("}")
    try:
        return kind.model_validate_json(text[start : end + 1])
    except ValidationError as error:
        said = json.dumps(text.strip()[:_SHOWN], ensure_ascii=False)
        msg = f"the model's answer is not what it was asked for ({_first_problem(error)}); it begins {said}"
        raise UnusableAnswerError(msg) from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def schema(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of an answer as strict structured output wants it: every key required, nothing else."""
    strict: dict[str, Any] = _strict(kind.model_json_schema())
    return strict


def _strict(value: Any) -> Any:  # noqa: ANN401  (any JSON)
    if isinstance(value, list):
        return [_strict(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return {"$ref": value["$ref"]}
    if "properties" not in value:
        return {key: _strict(item) for key, item in value.items() if key not in _NOT_FOR_THE_MODEL}
    properties = {name: _strict(item) for name, item in value["properties"].items()}
    kept = {"$defs": _strict(value["$defs"])} if "$defs" in value else {}
    return kept | {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


class Mapper:
    """Translates answers about run numbers into our schemas about run ids, for one trace."""

    def __init__(self, trace: Trace) -> None:
        self._ids = [run.id for run in trace.runs]

    def findings(self, answer: GroupAnswer) -> tuple[Finding, ...]:
        """Return the candidate errors as findings."""
        return tuple(
            Finding(
                run_id=self._id(found.run),
                what=found.what,
                failure_type=found.failure_type,
                weight=_WEIGHTS[found.severity],
                evidence=self.evidence(found.quotes),
            )
            for found in answer.findings
        )

    def gaps(self, answer: GapAnswer) -> GapAnalysis:
        """Return stage 2."""
        return GapAnalysis(
            gaps=tuple(
                Gap(expected=gap.expected, actual=gap.actual, run_id=self._known_id(gap.run)) for gap in answer.gaps
            ),
            missing_context=answer.missing_context,
            wrong_assumptions=answer.wrong_assumptions,
        )

    def conclusion(self, answer: ConclusionAnswer) -> Conclusion:
        """Return stage 3."""
        fix = answer.suggested_fix
        return Conclusion(
            failure_type=answer.failure_type,
            cause=answer.cause,
            root_cause=answer.root_cause,
            responsible_run_id=None if answer.decisive_run is None else self._id(answer.decisive_run),
            confidence=answer.confidence,
            evidence=self.evidence(answer.evidence),
            affected_components=answer.affected_components,
            suggested_fix=None if fix is None else SuggestedFix(**fix.model_dump()),
            executive_summary=answer.executive_summary,
        )

    def evidence(self, quotes: Iterable[Quote]) -> tuple[Evidence, ...]:
        """Return quotes as evidence, not yet looked up."""
        return tuple(Evidence(run_id=self._id(each.run), quote=each.quote, why=each.why) for each in quotes)

    def unknown_runs(self, answer: GroupAnswer) -> tuple[int, ...]:
        """Return the numbers of runs that the trace does not have."""
        numbers = {found.run for found in answer.findings}
        return tuple(sorted(number for number in numbers if self._known_id(number) is None))

    def _known_id(self, number: int | None) -> str | None:
        return self._ids[number - 1] if number is not None and 0 < number <= len(self._ids) else None

    def _id(self, number: int) -> str:
        # A number that the trace does not have stays recognisable: the engine says what became of it.
        return self._known_id(number) or f"#{number}"
