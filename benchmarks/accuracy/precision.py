"""Counts how often each rule named the right step: what the confidence of a diagnosis by rules rests on.

``python -m benchmarks.accuracy.precision --data PATH`` prints the counts by rule and data set; ``--write`` puts
them into the package. Errors planted in the development half are left out: the rules were made with them in sight.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy import data_sets, metrics, trial
from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysts.rules import confidence
from pytest_refinery.analysts.rules.analyst import RulesAnalyst

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.accuracy.labelled import Answer, Labelled

FILE = Path(confidence.__file__).with_name("precision.json")


def main() -> None:
    """Count, print, and with ``--write`` ship the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.precision", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    cases = data_sets.unseen(chosen.data)
    answers = trial.ask(Engine(RulesAnalyst(), Limits()), cases)
    print(text := as_text(counts(cases, answers)))
    if chosen.write:
        FILE.write_text(text, encoding="utf-8")


def counts(cases: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, dict[str, tuple[int, int]]]:
    """Return for each rule and data set how often its step was right, of how often it was the cause."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for case, answer in zip(cases, answers, strict=True):
        if answer.is_determined and answer.rule:
            of_rule = found.setdefault(answer.rule, {})
            right, fired = of_rule.get(case.data_set, (0, 0))
            of_rule[case.data_set] = (right + metrics.is_right(case, answer), fired + 1)
    return found


def as_text(found: Mapping[str, Mapping[str, tuple[int, int]]]) -> str:
    """Return the counts as the file has them: a line for each rule and data set."""
    return (
        json.dumps(found, indent=1, sort_keys=True).replace("[\n   ", "[").replace(",\n   ", ", ").replace("\n  ]", "]")
        + "\n"
    )


def without(data_set: str) -> Engine:
    """Return an engine with the rules, whose confidence rests on the shipped counts without those of a data set."""
    kept = {
        rule: {name: count for name, count in sets.items() if name != data_set}
        for rule, sets in confidence.shipped().items()
    }
    return Engine(RulesAnalyst(kept), Limits())


def left_out(cases: Sequence[Labelled]) -> list[Answer]:
    """Return what the rules say about each case, with a confidence that its own data set had no part in."""
    engines = {name: without(name) for name in {case.data_set for case in cases}}
    return [trial.ask_one(engines[case.data_set], case) for case in cases]


if __name__ == "__main__":
    main()
