"""The results as data and as a page of Markdown."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from benchmarks.accuracy import floors, metrics
from pytest_refinery.analysis.schemas import Confidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.accuracy.labelled import Answer, Labelled

_WORST = 10
POOLED = "all"


@dataclass(frozen=True)
class Arm:
    """One way of answering all cases: an analyst, fitted or cross-validated, or a trivial rule."""

    name: str
    answers: Sequence[Answer]


def by_data_set(cases: Sequence[Labelled]) -> dict[str, list[int]]:
    """Return the places of the cases of each data set, and of all of them."""
    places: dict[str, list[int]] = {}
    for place, case in enumerate(cases):
        places.setdefault(case.data_set, []).append(place)
    return {**places, POOLED: list(range(len(cases)))}


def data(cases: Sequence[Labelled], arms: Sequence[Arm]) -> dict[str, object]:
    """Return every figure, each data set apart and pooled."""
    return {
        name: _data_set([cases[place] for place in places], arms, places) for name, places in by_data_set(cases).items()
    }


def _data_set(cases: Sequence[Labelled], arms: Sequence[Arm], places: Sequence[int]) -> dict[str, object]:
    rules = {name: floors.answers(rule, cases) for name, rule in floors.RULES.items()}
    rules["constant, chosen in hindsight"] = floors.constant(cases)
    return {
        "cases": len(cases),
        "analyst": {arm.name: _arm(cases, [arm.answers[place] for place in places]) for arm in arms},
        "floor": {
            "random": {name: {"mean": value} for name, value in metrics.random_floor(cases).items()},
            **{name: _figures(cases, answers) for name, answers in rules.items()},
        },
        "majority category": floors.majority_category(cases),
    }


def _arm(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, object]:
    quotes = sum(answer.quotes for answer in answers)
    return {
        **_figures(cases, answers),
        "tokens": sum(answer.tokens for answer in answers),
        "seconds, median": round(sorted(answer.seconds for answer in answers)[len(answers) // 2], 3),
        "seconds, most": round(max(answer.seconds for answer in answers), 3),
        "coverage": fmean(answer.coverage for answer in answers),
        "evidence verified": sum(answer.verified for answer in answers) / quotes if quotes else None,
    }


def _figures(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, object]:
    return {name: asdict(figure) for name, figure in metrics.figures(cases, answers).items()}


def page(found: Mapping[str, object], cases: Sequence[Labelled], arms: Sequence[Arm], *, about: Iterable[str]) -> str:
    """Return the results as Markdown: the tables, then confusion, reliability and the worst cases of the first arm."""
    lines = ["# Accuracy of a diagnosis", "", *about, ""]
    for name, result in found.items():
        if isinstance(result, dict):
            lines += _table(name, result)
    answers = arms[0].answers
    lines += [*_reliability(cases, arms), *_confusion(cases, answers), *_worst(cases, answers)]
    return "\n".join(lines).rstrip() + "\n"


_COLUMNS = (
    "agent",
    "exact step",
    "within 1",
    "within 3",
    "within 5",
    "mean distance",
    "any labelled failure",
    "category",
)


def _table(name: str, result: Mapping[str, object]) -> list[str]:
    lines = [f"## {name} ({result['cases']} traces)", ""]
    lines += [f"| | {' | '.join(_COLUMNS)} |", f"|---|{'---|' * len(_COLUMNS)}"]
    for group in ("analyst", "floor"):
        rows = result[group]
        for title, figures in rows.items() if isinstance(rows, dict) else ():
            shown = f"**{title}**" if group == "analyst" else f"floor: {title}"
            lines.append(f"| {shown} | {' | '.join(_cell(column, figures.get(column)) for column in _COLUMNS)} |")
    majority = result["majority category"]
    if isinstance(majority, float):
        lines.append(
            f"| floor: majority category {'| ' * len(_COLUMNS)}| {100 * majority:.1f} |".replace("|  |", "| |")
        )
    return [*lines, "", *_costs(result), ""]


def _cell(column: str, figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return ""
    scale = 1 if column == "mean distance" else 100
    interval = f" [{scale * figure['low']:.0f}, {scale * figure['high']:.0f}]" if "low" in figure else ""
    return f"{scale * figure['mean']:.1f}{interval}"


def _costs(result: Mapping[str, object]) -> list[str]:
    arms = result["analyst"]
    return [
        f"{name}: {arm['tokens']} tokens; {arm['seconds, median']} s a trace in the median, {arm['seconds, most']} "
        f"s at most; "
        f"coverage {100 * arm['coverage']:.1f} %; evidence verified {100 * (arm['evidence verified'] or 0):.1f} %.  "
        for name, arm in (arms.items() if isinstance(arms, dict) else ())
    ]


def reliability(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """Return for each confidence how often it was said, and how often it was right."""
    rows: dict[str, dict[str, float]] = {}
    for level in Confidence:
        right = [float(a.step == c.decisive) for c, a in zip(cases, answers, strict=True) if a.confidence == level]
        near = [metrics.METRICS["within 3"](c, a) for c, a in zip(cases, answers, strict=True) if a.confidence == level]
        if right:
            rows[level.value] = {"said": len(right), "exact step": fmean(right), "within 3": fmean(near)}
    return rows


def _reliability(cases: Sequence[Labelled], arms: Sequence[Arm]) -> list[str]:
    lines = ["## Confidence", "", "| | said | exact step right | within 3 |", "|---|---|---|---|"]
    for arm in arms:
        for level, row in reliability(cases, arm.answers).items():
            lines.append(
                f"| {arm.name}: {level} | {row['said']:.0f} | {100 * row['exact step']:.1f} | "
                f"{100 * row['within 3']:.1f} |"
            )
    return [*lines, ""]


def _confusion(cases: Sequence[Labelled], answers: Sequence[Answer]) -> list[str]:
    pairs = Counter(
        (case.category, answer.category) for case, answer in zip(cases, answers, strict=True) if case.category
    )
    lines = ["## Categories", "", "| labelled | said | traces |", "|---|---|---|"]
    lines += [f"| {label} | {said} | {count} |" for (label, said), count in sorted(pairs.items(), key=str)]
    return [*lines, ""]


def _worst(cases: Sequence[Labelled], answers: Sequence[Answer]) -> list[str]:
    pairs = sorted(zip(cases, answers, strict=True), key=lambda pair: -metrics.distance(*pair))[:_WORST]
    lines = [f"## The {_WORST} farthest", "", "| trace | label | said | what the analyst said |", "|---|---|---|---|"]
    for case, answer in pairs:
        label = f"step {case.decisive}, {case.agent}"
        said = "nothing" if answer.step is None else f"step {answer.step}, {answer.agent}"
        lines.append(f"| {case.data_set} {case.name} | {label} | {said} | {_plain(answer.said)} |")
    return [*lines, ""]


def _plain(text: str) -> str:
    """Return the sentence without the trace's own words: the questions must not be published."""
    line = " ".join(text.split()).replace("|", "/")
    return line if "“" not in line else f"{line.partition('“')[0]}“…”{line.rpartition('”')[2]}"
