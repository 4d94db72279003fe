"""Says how right an analyst is on labelled traces, beside the floor of trivial rules.

``python -m benchmarks.accuracy --analyst builtin --data PATH`` prints the page and, with
``--write``, puts it into ``benchmarks/results``. For the builtin analyst the cross-validated
figures come first: each trace is judged with weights that were fitted without it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.accuracy import fit, readers, report, trial
from pytest_refinery import options, wiring
from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.llm.builtin import ranking
from pytest_refinery.llm.builtin.analyst import BuiltinAnalyst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.accuracy.labelled import Answer, Labelled

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Ask the analyst about every trace, print the page, and write it where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--analyst", default="builtin")
    parser.add_argument("--data", type=Path, required=True, help="the folder with langsmith_tau and who_and_when")
    parser.add_argument(
        "--kind", choices=("nested", "turns"), default="nested", help="how the conversations were recorded"
    )
    parser.add_argument("--without-answers", action="store_true", help="keep the right answers from the analyst")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/accuracy-*.{json,md}")
    chosen = parser.parse_args()
    cases = readers.read(chosen.data, answers=not chosen.without_answers, kind=chosen.kind)
    arms = _arms(chosen.analyst, cases)
    found = report.data(cases, arms)
    about = _about(chosen)
    print(page := report.page(found, cases, arms, about=about))
    if chosen.write:
        _write(chosen, {"about": about, "results": found, "confidence": _reliability(cases, arms)}, page)


def _arms(name: str, cases: Sequence[Labelled]) -> list[report.Arm]:
    if name != "builtin":
        settings = options.read_environment()
        engine = wiring.build_engine(settings, wiring.build_analyst(name, settings))
        return [report.Arm(name, trial.ask(engine, cases))]
    shipped = ranking.Weights.shipped()
    return [
        report.Arm("builtin, cross-validated", cross_validated(cases)),
        report.Arm("builtin, as shipped", trial.ask(_builtin(shipped), cases)),
    ]


def cross_validated(cases: Sequence[Labelled]) -> list[Answer]:
    """Return the builtin analyst's answers, each with weights that were fitted without the case."""
    examples = [fit.example(case) for case in cases]
    shipped = ranking.Weights.shipped()
    weights = [replace(shipped, features=features) for features in fit.cross_validated(examples)]
    return [trial.ask_one(_builtin(used), case) for used, case in zip(weights, cases, strict=True)]


def _builtin(weights: ranking.Weights) -> Engine:
    return Engine(BuiltinAnalyst(weights), Limits())


def _reliability(cases: Sequence[Labelled], arms: Sequence[report.Arm]) -> dict[str, object]:
    return {arm.name: report.reliability(cases, arm.answers) for arm in arms}


def _about(chosen: argparse.Namespace) -> list[str]:
    given = "not given" if chosen.without_answers else "given"
    measured = f"Analyst {chosen.analyst}; {machine.sentence()}. Conversations recorded as {chosen.kind}; "
    asked = f"the right answers to the teams' questions were {given} to the analyst as part of the expectation."
    return [measured + asked, "", _READING]


_READING = (
    "Percentages with bootstrap 95 % intervals; mean distance in steps. Steps compare by equality, and a trace about "
    "which the analyst names no step counts as wrong. The floor is what rules without any understanding reach."
)


def _write(chosen: argparse.Namespace, found: object, page: str) -> None:
    name = f"accuracy-{chosen.analyst}{'' if chosen.kind == 'nested' else '-' + chosen.kind}"
    name += "-without-answers" if chosen.without_answers else ""
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath(f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    RESULTS.joinpath(f"{name}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
