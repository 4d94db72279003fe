"""How right answers are, with intervals. Steps compare by equality; a missing answer is wrong."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from benchmarks.accuracy import floors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.accuracy.labelled import Answer, Labelled
    from pytest_refinery.analysis.schemas import Confidence

_Key = TypeVar("_Key", bound=str)
_RESAMPLINGS = 2000
_SEED = 20260101
# A fix repeats the question or the expectation where it has so many of its words in a row.
_REPEATED_WORDS = 6


@dataclass(frozen=True)
class Figure:
    """A mean with its bootstrap 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Precision:
    """How often something was said, and how often it was right."""

    said: int
    right: int

    @property
    def share(self) -> float:
        """The right ones among those that were said."""
        return self.right / self.said if self.said else 0.0


def distance(case: Labelled, answer: Answer) -> float:
    """Return how many steps an answer is off; the whole conversation where there is none."""
    if answer.step is None or case.decisive is None:
        return float(len(case.run_ids))
    return float(abs(answer.step - case.decisive))


def is_right(case: Labelled, answer: Answer) -> bool:
    """Tell whether the answer names the decisive step, or doubts an expectation that is wrong."""
    if case.decisive is None:
        return answer.doubts_expectation
    return answer.step == case.decisive


def _is_within_three(case: Labelled, answer: Answer) -> float:
    return float(answer.step is not None and distance(case, answer) <= 3)


METRICS: dict[str, Callable[[Labelled, Answer], float]] = {
    "exact step": lambda case, answer: float(is_right(case, answer)),
    "in three": lambda case, answer: float(case.decisive is not None and case.decisive in answer.candidates),
    "within 3 steps": _is_within_three,
    "agent": lambda case, answer: float(answer.agent == case.agent),
    "mean distance": distance,
    "not determined": lambda _, answer: float(not answer.is_determined),
}


def figures(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, Figure]:
    """Return every metric over the cases."""
    return {
        name: _figure([metric(*pair) for pair in zip(cases, answers, strict=True)]) for name, metric in METRICS.items()
    }


def random_floor(cases: Sequence[Labelled]) -> dict[str, float]:
    """Return each metric's expected value for a step drawn at random."""
    return {
        name: fmean(fmean(metric(case, answer) for answer in floors.every_step(case)) for case in cases)
        for name, metric in METRICS.items()
    }


def by_confidence(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[Confidence, Precision]:
    """Return how often each confidence was said about a cause, and how often it was right."""
    return _tally(cases, answers, lambda answer: answer.confidence)


def by_rule(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, Precision]:
    """Return how often each rule became the root cause, and how often it was right."""
    return _tally(cases, answers, lambda answer: answer.rule or None)


def _tally(
    cases: Sequence[Labelled], answers: Sequence[Answer], key: Callable[[Answer], _Key | None]
) -> dict[_Key, Precision]:
    result: dict[_Key, Precision] = {}
    for case, answer in zip(cases, answers, strict=True):
        name = key(answer)
        if name is None or not answer.is_determined:
            continue
        before = result.get(name, Precision(0, 0))
        result[name] = Precision(before.said + 1, before.right + is_right(case, answer))
    return result


def leaking_fixes(cases: Sequence[Labelled], answers: Sequence[Answer]) -> list[tuple[Labelled, str]]:
    """Return the cases whose suggested fix carries something of the case, with what it carries."""
    found = ((case, leak(case, answer.fix)) for case, answer in zip(cases, answers, strict=True) if answer.fix)
    return [(case, value) for case, value in found if value]


def leak(case: Labelled, fix: str) -> str:
    """Return what a fix carries of its case: an expected value, an id or figure, the question; ``""`` for nothing."""
    folded = _folded(fix)
    whole = next((secret for secret in _secrets(case) if _stands_in(_folded(secret), folded)), "")
    return whole or _repeated(fix, [case.expect, *case.secrets])


def _secrets(case: Labelled) -> Iterable[str]:
    own = {word for text in case.texts for word in re.findall(r"[#$\w][\w.,:/-]*\w", text) if _is_value(word)}
    told = " ".join(prompt.text for prompt in case.prompt_files)
    return [
        *case.secrets,
        *(value for check in case.checks for value in _texts(check.model_dump())),
        *(own - set(told.split())),
    ]


def _is_value(word: str) -> bool:
    """Tell whether a word of a trace is an id or a figure: digits make the most of it, or stand between letters."""
    return sum(character.isdigit() for character in word) >= 3


def _texts(value: object) -> Iterable[str]:
    """Yield the values in a check's argument, not the names of its fields and tools."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in {"called", "not_called", "in_order", "at_most", "where"}:
                yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, (str, float)) and len(str(value)) > 1:
        yield str(value)


def _stands_in(secret: str, text: str) -> bool:
    return bool(secret) and re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text) is not None


def _repeated(fix: str, sentences: Sequence[str]) -> str:
    said = f" {' '.join(_words(fix))} "
    for sentence in sentences:
        words = _words(sentence)
        for start in range(len(words) - _REPEATED_WORDS + 1):
            run = " ".join(words[start : start + _REPEATED_WORDS])
            if f" {run} " in said:
                return run
    return ""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _figure(values: Sequence[float]) -> Figure:
    draw = random.Random(_SEED)
    means = sorted(fmean(draw.choices(values, k=len(values))) for _ in range(_RESAMPLINGS))
    return Figure(fmean(values), means[int(0.025 * _RESAMPLINGS)], means[int(0.975 * _RESAMPLINGS) - 1])
