"""How often a gate fails a run that is no worse, and how often it finds one that is: simulated agents, known rates.

``python -m benchmarks.gate`` writes ``benchmarks/results/gate.md``. Nothing is timed; the seed is fixed.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery.analysis import gate, history
from pytest_refinery.analysis.gate import Baseline
from pytest_refinery.analysis.records import (
    AgentRecord,
    ExpectationRecord,
    GateVerdict,
    ItemRecord,
    Outcome,
    TrialRecord,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULT = Path(__file__).parent / "results" / "gate.md"
ALPHA = 0.05


@dataclass(frozen=True)
class Suite:
    """Expectations of re-run agents: how many, their pass rate and their trials."""

    name: str
    items: int
    rate: float
    trials: int


SUITES = (
    Suite("20 expectations, one run each", 20, 0.9, 1),
    Suite("10 expectations, 5 trials each", 10, 0.8, 5),
    Suite("30 expectations, 3 trials each", 30, 0.95, 3),
    Suite("5 expectations, 20 trials each", 5, 0.9, 20),
)


def run(chance: random.Random, suite: Suite, rates: Sequence[float]) -> list[ItemRecord]:
    """Return the items of one run, of which all trials must pass."""
    return [_item(chance, str(number), rate, suite.trials) for number, rate in enumerate(rates)]


def _item(chance: random.Random, name: str, rate: float, trials: int) -> ItemRecord:
    passed = [chance.random() < rate for _ in range(trials)]
    outcomes = [Outcome.PASSED if each else Outcome.FAILED for each in passed]
    made = tuple(TrialRecord.model_construct(number=n, outcome=outcome) for n, outcome in enumerate(outcomes, 1))
    return ItemRecord(
        nodeid=f"suite.refinery.yaml::{name}",
        outcome=Outcome.PASSED if all(passed) else Outcome.FAILED,
        expectation=ExpectationRecord(id=name, expect="", file="suite.refinery.yaml", line=1),
        agent=AgentRecord(target="shop:agent", wanted=trials, shown=1, trials=made),
    )


def share_that_fails(suite: Suite, after: Sequence[float], *, gates: int, seed: int = 7) -> float:
    """Return the share of gates that fail where the rates of a suite become those of ``after``."""
    chance = random.Random(seed)
    before = [suite.rate] * suite.items
    failed = 0
    for _ in range(gates):
        past = history.remembered(run(chance, suite, before), None)
        baseline = Baseline(past, fail_on="regression", alpha=ALPHA)
        items = gate.changes(run(chance, suite, after), baseline)
        found = gate.decide(items, baseline)
        failed += found is not None and found.verdict is GateVerdict.FAIL
    return failed / gates


def page(gates: int) -> str:
    """Return the result as Markdown."""
    lines = [
        "# The gate",
        "",
        f"`python -m benchmarks.gate`: {gates:,} simulated gates of a run that is no worse, {gates // 10:,} of each",
        f"other cell, alpha {ALPHA}, seed 7. The share of gates with the verdict `fail`.",
        "",
        "| suite | pass rate | no worse (at most 5 %) | one expectation never passes | all drop by 0.2 | all by 0.4 |",
        "|---|---|---|---|---|---|",
    ]
    for suite in SUITES:
        same = [suite.rate] * suite.items
        cases = (same, [0.0, *same[1:]], [suite.rate - 0.2] * suite.items, [suite.rate - 0.4] * suite.items)
        shares = [share_that_fails(suite, after, gates=gates if after is same else gates // 10) for after in cases]
        lines.append(f"| {suite.name} | {suite.rate} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Simulate, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gates", type=int, default=10_000)
    text = page(parser.parse_args().gates)
    print(text)
    RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
