"""What a model is asked to answer: runs by their number, evidence as exact quotes.

The models are the schemas of structured output; ``schema`` makes them strict. Their field order is the order in
which a model writes, so what it should think of first stands first.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WrapValidator

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
    from collections.abc import Callable, Iterable, Iterator

    from pytest_refinery.traces.model import Trace

_WEIGHTS = {"critical": 0.9, "major": 0.6, "minor": 0.3}
_SHOWN = 80
# The descriptions are our docstrings; what a model has to know of a field, the prompt says.
_NOT_FOR_THE_MODEL = frozenset({"default", "title", "description"})


class UnusableAnswerError(AnalysisError):
    """The model wrote something that is not the answer to the question, also when it was asked again."""

    is_final = True


_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_NUMBER = re.compile(r"\s*(?:run\s*)?(?:#\s*)?(\d{1,9})\s*", re.IGNORECASE | re.ASCII)
_MOST_CANDIDATES = 64


def _number(value: object) -> object:
    """Return 3 also for ``#3`` and ``run 3``."""
    found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else value


def _number_or_none(value: object) -> object:
    return None if value in ("", "null", "none") else _number(value)


def _word(value: object) -> object:
    """Return ``tool_issue`` also for ``Tool Issue``."""
    return re.sub(r"[\s-]+", "_", value.strip().lower()) if isinstance(value, str) else value


def _each(value: object, validate: Callable[[object], Any]) -> Any:  # noqa: ANN401  (a tuple of any model)
    """Return the items that can be used; one that cannot costs no other. Where none can, nothing is usable."""
    items = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
    usable = [item for item in items if _passes(validate, item)]
    return validate(usable or items)


def _passes(validate: Callable[[object], object], item: object) -> bool:
    try:
        validate([item])
    except ValidationError:
        return False
    return True


def _or_default(default: object) -> WrapValidator:
    """Return what takes the place of a value that cannot be used and is not worth the rest."""

    def validated(value: object, validate: Callable[[object], object]) -> object:
        try:
            return validate(value)
        except ValidationError:
            return default

    return WrapValidator(validated)


_Run = Annotated[int, BeforeValidator(_number)]
_Texts = Annotated[tuple[str, ...], WrapValidator(_each)]
_Failure = Annotated[FailureType, BeforeValidator(_word)]
_Severity = Annotated[Literal["critical", "major", "minor"], _or_default("major"), BeforeValidator(_word)]
_Confidence = Annotated[Confidence, _or_default(Confidence.LOW), BeforeValidator(_word)]
_Verdict = Annotated[Literal["met", "not_met", "undecided"], BeforeValidator(_word)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Quote(_Answer):
    """An exact quote from a run."""

    run: _Run
    quote: str
    why: str = ""


class CandidateError(_Answer):
    """A step that may have led to the failure."""

    run: _Run
    quotes: Annotated[tuple[Quote, ...], WrapValidator(_each), _or_default(())] = ()
    what: str
    failure_type: _Failure
    severity: _Severity = "major"


class GroupAnswer(_Answer):
    """Stage 1."""

    timeline: _Texts = ()
    findings: Annotated[tuple[CandidateError, ...], WrapValidator(_each)]


class GapItem(_Answer):
    """What was expected beside what was there."""

    expected: str
    actual: str
    run: Annotated[int | None, _or_default(None), BeforeValidator(_number_or_none)] = None


class GapAnswer(_Answer):
    """Stage 2."""

    gaps: Annotated[tuple[GapItem, ...], WrapValidator(_each)]
    missing_context: _Texts = ()
    wrong_assumptions: _Texts = ()


class Fix(_Answer):
    """A change that would have helped."""

    component: str
    file: str | None = None
    before: str = ""
    after: str = ""
    why: str = ""


class Counterfactual(_Answer):
    """What would have become of it, had one run been done right."""

    run: _Run
    argument: str = ""
    would_have_met: bool


class ConclusionAnswer(_Answer):
    """Stage 3."""

    counterfactuals: Annotated[tuple[Counterfactual, ...], WrapValidator(_each), _or_default(())] = ()
    evidence: Annotated[tuple[Quote, ...], WrapValidator(_each), _or_default(())] = ()
    decisive_run: Annotated[int | None, BeforeValidator(_number_or_none)]
    failure_type: _Failure
    root_cause: str
    cause: str = ""
    confidence: _Confidence = Confidence.LOW
    affected_components: _Texts = ()
    suggested_fix: Annotated[Fix | None, _or_default(None)] = None
    executive_summary: str = ""


class ConditionVerdict(_Answer):
    """The verdict on one success condition."""

    condition: str = ""
    run: Annotated[int | None, _or_default(None), BeforeValidator(_number_or_none)] = None
    quote: str = ""
    verdict: _Verdict


class JudgeAnswer(_Answer):
    """The judge's verdict."""

    conditions: Annotated[tuple[ConditionVerdict, ...], WrapValidator(_each), _or_default(())] = ()
    reasons: _Texts = ()
    verdict: _Verdict

    @property
    def is_met(self) -> bool | None:
        """Whether the expectation is met; ``None`` also where the verdicts contradict one another."""
        single = {each.verdict for each in self.conditions} or {self.verdict}
        whole = "not_met" if "not_met" in single else "met" if single == {"met"} else "undecided"
        return {"met": True, "not_met": False}.get(whole) if whole == self.verdict else None

    @property
    def quotes(self) -> tuple[Quote, ...]:
        """The passages that the verdicts rest on."""
        shown = [each for each in self.conditions if each.run is not None and each.quote]
        return tuple(Quote(run=each.run, quote=each.quote, why=each.condition) for each in shown if each.run)


class Remark(_Answer):
    """Something in a run that speaks for or against an expectation."""

    run: _Run
    quote: str = ""
    what: str


class RemarksAnswer(_Answer):
    """What the judge noted down about a part of a trace."""

    findings: Annotated[tuple[Remark, ...], WrapValidator(_each)]


class CauseItem(_Answer):
    """What groups of failures have in common."""

    groups: tuple[int, ...]
    cause: str
    advice: str = ""


class SummaryAnswer(_Answer):
    """What the failures of a session have in common."""

    causes: Annotated[tuple[CauseItem, ...], WrapValidator(_each)]
    executive_summary: str = ""


A = TypeVar("A", bound=BaseModel)


def parse(kind: type[A], text: str) -> A:
    """Return the answer in ``text``, also where thoughts, a code fence or sentences surround it.

    Raises:
        UnusableAnswerError: There is none.
    """
    if not text.strip():
        msg = "the model wrote nothing"
        raise UnusableAnswerError(msg)
    problems: list[str] = []
    for candidate in _objects(_THOUGHTS.sub("", text)):
        try:
            return kind.model_validate(candidate)
        except ValidationError as error:
            problems.append(_first_problem(error))
    problem = problems[0] if problems else "it holds no JSON object"
    said = json.dumps(text.strip()[:_SHOWN], ensure_ascii=False)
    msg = f"the model's answer is not what it was asked for ({problem}); it begins {said}"
    raise UnusableAnswerError(msg)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a text, those around others first."""
    decoder = json.JSONDecoder()
    for start in islice((found.start() for found in re.finditer("{", text)), _MOST_CANDIDATES):
        try:
            candidate, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(candidate, dict):
            yield candidate


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]


@cache
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
