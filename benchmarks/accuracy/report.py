"""The results as data and as a page of Markdown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy import floors, metrics
from benchmarks.accuracy.labelled import Mode
from pytest_refinery.analysis.schemas import Confidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.accuracy.labelled import Answer, Labelled
    from benchmarks.accuracy.metrics import Figure, Precision

POOLED = "all"
_COLUMNS = tuple(metrics.METRICS)
_RULED = "|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Results:
    """What an analyst said about the cases, in each mode that was asked.

    ``left_out`` are its answers in the main mode with a confidence that rests on the other data sets alone.
    """

    analyst: str
    cases: Sequence[Labelled]
    answers: Mapping[Mode, Sequence[Answer]]
    left_out: Sequence[Answer] = ()

    def of(self, places: Sequence[int], mode: Mode) -> tuple[list[Labelled], list[Answer]]:
        """Return the cases at ``places`` and the answers to them."""
        return [self.cases[place] for place in places], [self.answers[mode][place] for place in places]


def by_data_set(cases: Sequence[Labelled]) -> dict[str, list[int]]:
    """Return the places of the cases of each data set, and of all of them; without those whose expectation is wrong."""
    places: dict[str, list[int]] = {}
    for place, case in enumerate(cases):
        if case.decisive is not None:
            places.setdefault(case.data_set, []).append(place)
    pooled = sorted(place for of_one in places.values() for place in of_one)
    return {**places, POOLED: pooled} if len(places) > 1 else places


def data(results: Results) -> dict[str, object]:
    """Return every figure, each data set apart and pooled."""
    return {name: _data_set(results, places) for name, places in by_data_set(results.cases).items()}


def _data_set(results: Results, places: Sequence[int]) -> dict[str, object]:
    cases = [results.cases[place] for place in places]
    return {
        "cases": len(cases),
        **{mode.value: _mode(*results.of(places, mode)) for mode in results.answers},
        "floor": {name: asdict_all(metrics.figures(cases, said)) for name, said in _floors(cases).items()},
        "floor: random": metrics.random_floor(cases),
    }


def _mode(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, object]:
    fixes = sum(bool(answer.fix) for answer in answers)
    return {
        **asdict_all(metrics.figures(cases, answers)),
        "confidence": asdict_all(metrics.by_confidence(cases, answers)),
        "rules": asdict_all(metrics.by_rule(cases, answers)),
        "fixes": {"suggested": fixes, "with a value of the case": len(metrics.leaking_fixes(cases, answers))},
        "tokens": sum(answer.tokens for answer in answers),
        "seconds, median": round(sorted(answer.seconds for answer in answers)[len(answers) // 2], 3),
        "seconds, most": round(max(answer.seconds for answer in answers), 3),
        "coverage": fmean(answer.coverage for answer in answers),
    }


def asdict_all(figures: Mapping[Any, Figure] | Mapping[Any, Precision]) -> dict[str, dict[str, float]]:
    """Return the figures as plain data."""
    return {str(name): asdict(figure) for name, figure in figures.items()}


def _floors(cases: Sequence[Labelled]) -> dict[str, list[Answer]]:
    rules = {name: floors.answers(rule, cases) for name, rule in floors.RULES.items()}
    return {**rules, "constant, chosen in hindsight": floors.constant(cases)}


def page(results: Results, *, title: str, about: Iterable[str]) -> str:
    """Return the results as Markdown."""
    lines = [f"# {title}", "", *about, ""]
    for name, places in by_data_set(results.cases).items():
        lines += _table(name, results, places)
    lines += [
        *_kinds(results),
        *_doubts(results),
        *_sentences(results),
        *_confidence(results),
        *_rules(results),
        *_fixes(results),
        *_costs(results),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(name: str, results: Results, places: Sequence[int]) -> Iterator[str]:
    cases = [results.cases[place] for place in places]
    yield from (f"## {name} ({len(cases)} traces)", "")
    yield f"| | {' | '.join(_COLUMNS)} |"
    yield f"|---|{'---|' * len(_COLUMNS)}"
    for mode in results.answers:
        yield _row(f"**{results.analyst}, {mode}**", metrics.figures(*results.of(places, mode)))
    random = metrics.random_floor(cases)
    yield f"| floor: random | {' | '.join(_shown(column, random[column]) for column in _COLUMNS)} |"
    yield from (_row(f"floor: {floor}", metrics.figures(cases, said)) for floor, said in _floors(cases).items())
    yield ""


def _row(title: str, figures: Mapping[str, Figure]) -> str:
    return f"| {title} | {' | '.join(_cell(column, figures[column]) for column in _COLUMNS)} |"


def _cell(column: str, figure: Figure) -> str:
    scale = 1 if column == "mean distance" else 100
    return f"{_shown(column, figure.mean)} [{scale * figure.low:.0f}, {scale * figure.high:.0f}]"


def _shown(column: str, value: float) -> str:
    return f"{value:.1f}" if column == "mean distance" else f"{100 * value:.1f}"


def _kinds(results: Results) -> Iterator[str]:
    """Yield the figures of each kind of planted error, where errors were planted."""
    kinds = sorted({case.kind for case in results.cases if case.kind and case.decisive is not None})
    if not kinds:
        return
    mode = _main(results)
    yield from (
        "## Kinds of error",
        "",
        "| kind | cases | exact step | in three | not determined | high, wrong |",
        _RULED,
    )
    for kind in kinds:
        places = [place for place, case in enumerate(results.cases) if case.kind == kind]
        cases, answers = results.of(places, mode)
        figures = metrics.figures(cases, answers)
        shown = [f"{100 * figures[name].mean:.0f}" for name in ("exact step", "in three", "not determined")]
        high = metrics.by_confidence(cases, answers).get(Confidence.HIGH, metrics.Precision(0, 0))
        yield f"| {kind} | {len(cases)} | {' | '.join(shown)} | {high.said - high.right} |"
    yield ""


def _doubts(results: Results) -> Iterator[str]:
    """Yield how often a wrong expectation was recognised, where there are any."""
    places = [place for place, case in enumerate(results.cases) if case.decisive is None]
    if not places:
        return
    mode = _main(results)
    _, answers = results.of(places, mode)
    doubted = sum(answer.doubts_expectation for answer in answers)
    high = sum(answer.is_determined and answer.confidence is Confidence.HIGH for answer in answers)
    right = [place for place, case in enumerate(results.cases) if case.decisive is not None]
    in_vain = sum(answer.doubts_expectation for answer in results.of(right, mode)[1])
    yield from ("## Wrong expectations", "")
    yield (
        f"In {len(places)} cases the agent is right and the expectation is wrong. The report says so in {doubted} "
        f"({100 * doubted / len(places):.0f} %); it says something with confidence high in {high}. It doubts {in_vain} "
        f"of {len(right)} expectations that are right."
    )
    yield ""


def _sentences(results: Results) -> Iterator[str]:
    """Yield whether a better sentence gives a better diagnosis: exact step in each mode."""
    modes = [mode for mode in (Mode.EMPTY, Mode.SENTENCE, Mode.REASON, Mode.CHECKS) if mode in results.answers]
    if len(modes) == 1:
        return
    yield from (
        "## Does a better expectation give a better diagnosis?",
        "",
        "Exact step, then in three candidates.",
        "",
    )
    yield f"| | {' | '.join(modes)} | empty <= sentence <= reason |"
    yield f"|---|{'---|' * (len(modes) + 1)}"
    for name, places in by_data_set(results.cases).items():
        figures = {mode: metrics.figures(*results.of(places, mode)) for mode in modes}
        cells = [f"{100 * f['exact step'].mean:.1f}, {100 * f['in three'].mean:.1f}" for f in figures.values()]
        yield f"| {name} | {' | '.join(cells)} | {_monotone(figures)} |"
    yield ""


def _monotone(figures: Mapping[Mode, Mapping[str, Figure]]) -> str:
    exact = [figures[mode]["exact step"].mean for mode in (Mode.EMPTY, Mode.SENTENCE, Mode.REASON) if mode in figures]
    return "yes" if exact == sorted(exact) else "no"


def _confidence(results: Results) -> Iterator[str]:
    mode = _main(results)
    yield from (f"## Confidence, in the mode {mode}", "", "| | said | right | precision |", "|---|---|---|---|")
    arms = {"as shipped": results.answers[mode], "its data set left out": results.left_out}
    for name, places in by_data_set(results.cases).items():
        cases = [results.cases[place] for place in places]
        for arm, answers in arms.items():
            if answers:
                yield from _levels(f"{name}, {arm}", cases, [answers[place] for place in places])
    yield ""


def _levels(name: str, cases: Sequence[Labelled], answers: Sequence[Answer]) -> Iterator[str]:
    found = metrics.by_confidence(cases, answers)
    for level in Confidence:
        if level in found:
            yield f"| {name}: {level} | {found[level].said} | {found[level].right} | {100 * found[level].share:.0f} % |"


def _rules(results: Results) -> Iterator[str]:
    mode = _main(results)
    found = metrics.by_rule(results.cases, results.answers[mode])
    if not found:
        return
    yield from ("## Rules that became the root cause", "", "| rule | said | right | precision |", "|---|---|---|---|")
    for name, precision in sorted(found.items(), key=lambda item: (-item[1].said, item[0])):
        yield f"| {name} | {precision.said} | {precision.right} | {100 * precision.share:.0f} % |"
    yield ""


def _fixes(results: Results) -> Iterator[str]:
    answers = results.answers[_main(results)]
    suggested = sum(bool(answer.fix) for answer in answers)
    leaking = len(metrics.leaking_fixes(results.cases, answers))
    yield from ("## Fixes", "")
    yield f"{suggested} fixes were suggested; {leaking} carried an expected value, the question, an id or a figure."
    yield ""


def _costs(results: Results) -> Iterator[str]:
    answers = results.answers[_main(results)]
    seconds = sorted(answer.seconds for answer in answers)
    tokens = sum(answer.tokens for answer in answers)
    yield from ("## Cost", "")
    yield f"{tokens} tokens; {seconds[len(seconds) // 2]:.2f} s a trace in the median, {seconds[-1]:.2f} s at most."


def _main(results: Results) -> Mode:
    return Mode.CHECKS if Mode.CHECKS in results.answers else next(iter(results.answers))
