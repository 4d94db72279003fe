"""Measures how right an analyst is about labelled traces, beside the floor of trivial rules.

``python -m benchmarks.accuracy --data PATH`` prints the page about traces that people have labelled, with
``--set planted`` about planted errors, with ``--set german`` about those in German. ``--write`` puts it
into ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.accuracy import data_sets, metrics, precision, report, trial
from benchmarks.accuracy.labelled import Mode
from benchmarks.accuracy.planted import cases as planted
from benchmarks.accuracy.planted.formats import FORMATS
from pytest_refinery import options, wiring

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.accuracy.labelled import Labelled
    from pytest_refinery.analysis.engine import Engine

RESULTS = Path(__file__).parents[1] / "results"
_READING = (
    "Percentages with bootstrap 95 % intervals; mean distance in steps. Steps compare by equality, and a trace about "
    "which the analyst names no step counts as wrong. The floor is what rules without any understanding reach."
)


def main() -> None:
    """Ask the analyst about every trace, print the page, and write it where asked to."""
    chosen = _parser().parse_args()
    engine = _engine(chosen.analyst)
    results = measured(engine, chosen.analyst, _cases(chosen), chosen.modes)
    about = [*_about(chosen), *_other_formats(chosen, engine, results)]
    print(page := report.page(results, title=f"How right is a diagnosis? ({chosen.set})", about=about))
    if chosen.write:
        _write("-".join(["accuracy", chosen.analyst, *_variant(chosen)]), results, page)


def _cases(chosen: argparse.Namespace) -> list[Labelled]:
    if chosen.set == "labelled":
        return data_sets.read(chosen.data, kind=chosen.kind)
    if chosen.set == "german":
        return planted.read_german(form=chosen.format)
    return planted.read(chosen.data, chosen=chosen.half, form=chosen.format)


def _other_formats(chosen: argparse.Namespace, engine: Engine, results: report.Results) -> Iterator[str]:
    """Yield whether the format of a file changes a diagnosis; it must not."""
    if chosen.set == "labelled" or Mode.CHECKS not in results.answers:
        return
    for other in sorted(set(FORMATS) - {chosen.format}):
        cases = _cases(argparse.Namespace(**{**vars(chosen), "format": other}))
        answers = trial.ask(engine, cases)
        pairs = zip(answers, results.answers[Mode.CHECKS], strict=True)
        same = fmean(answer.step == before.step for answer, before in pairs)
        known = [pair for pair in zip(cases, answers, strict=True) if pair[0].decisive is not None]
        exact = fmean(metrics.is_right(*pair) for pair in known)
        yield ""
        yield f"As {other} files: the same step in {100 * same:.1f} % of the cases, exact step {100 * exact:.1f} %."


def _about(chosen: argparse.Namespace) -> list[str]:
    made = {
        "labelled": f"Support conversations recorded as {chosen.kind}.",
        "planted": f"Half '{chosen.half}', seed {planted.SEED}, as {chosen.format} files.",
        "german": f"Conversations written in German, as {chosen.format} files.",
    }
    return [f"{machine.sentence()}. {made[chosen.set]}", "", _READING]


def _variant(chosen: argparse.Namespace) -> list[str]:
    if chosen.set == "labelled":
        return [] if chosen.kind == "nested" else [chosen.kind]
    return [chosen.set, *([] if chosen.half == planted.HALVES[0] else [chosen.half])]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--analyst", default="builtin", choices=("builtin", "openai"))
    parser.add_argument("--data", type=Path, required=True, help="the folder with langsmith_tau and who_and_when")
    parser.add_argument("--set", choices=("labelled", "planted", "german"), default="labelled")
    parser.add_argument("--half", choices=planted.HALVES, default=planted.HALVES[0], help="of the planted errors")
    parser.add_argument("--format", choices=list(FORMATS), default="transcript", help="of the planted errors")
    parser.add_argument("--kind", choices=("nested", "turns"), default="nested", help="how tau was recorded")
    parser.add_argument("--modes", nargs="+", type=Mode, choices=list(Mode), default=list(Mode))
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/accuracy-*.{json,md}")
    return parser


def _engine(analyst: str) -> Engine:
    settings = options.read_environment()
    return wiring.build(replace(settings, analyst=analyst)).engine


def measured(engine: Engine, analyst: str, cases: Sequence[Labelled], modes: Sequence[Mode]) -> report.Results:
    """Return what the analyst of ``engine`` says about the cases in each mode."""
    answers = {mode: trial.ask(engine, cases, mode) for mode in modes}
    is_counted = analyst == "builtin" and Mode.CHECKS in modes
    return report.Results(analyst, cases, answers, precision.left_out(cases) if is_counted else ())


def _write(name: str, results: report.Results, page: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    found = json.dumps({"machine": machine.describe(), "results": report.data(results)}, indent=1)
    RESULTS.joinpath(f"{name}.json").write_text(found + "\n", encoding="utf-8")
    RESULTS.joinpath(f"{name}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
