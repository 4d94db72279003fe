"""A small suite for runs of pytest: two traces, expectations of every outcome."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

# Inner runs in this process forget what they import: a module that a test holds would then meet doubles of others.
import pytest_refinery.expectations.loader
import pytest_refinery.integration.running.evaluation
import pytest_refinery.integration.session  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SYSTEM = "You are the assistant of a broker. Answer questions about the customer's transactions."
PROMISE = "Done. I will exclude all cash sweep redemptions from now on."

CASH_SWEEP = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": "Exclude all transactions that say 'cash sweep redemption'."},
    {"role": "assistant", "content": PROMISE},
]

EXPECTATIONS = """\
trace: traces/sweep.json
prompts: [prompts/*.md]
tags: [memory]
expectations:
  - id: admits-it-cannot-remember
    expect: The agent says that it cannot keep preferences between conversations.
    business_context: Clients believed that their exclusions were permanent.
    checks:
      - output: {not_contains: from now on}
  - id: mentions-the-sweep
    expect: The agent speaks of the cash sweep.
    tags: [wording]
    checks:
      - output: {contains: cash sweep}
  - id: cannot-be-read
    expect: The agent is polite.
    trace: traces/gone.json
    checks:
      - errors: none
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Path:
    """The folder of a suite with one expectation that fails, one that passes, one undecided."""
    write_suite(pytester.path)
    return pytester.path


def unwrapped(result: pytest.RunResult) -> str:
    """Return what a run printed as one line: how a sentence is wrapped is not the point."""
    return " ".join(" ".join(result.outlines).split())


def write_suite(folder: Path) -> None:
    for name in ("traces", "prompts"):
        (folder / name).mkdir()
    (folder / "traces" / "sweep.json").write_text(json.dumps(CASH_SWEEP), encoding="utf-8")
    (folder / "prompts" / "system.md").write_text(SYSTEM + "\n", encoding="utf-8")
    (folder / "memory.refinery.yaml").write_text(EXPECTATIONS, encoding="utf-8")


@pytest.fixture
def run(pytester: pytest.Pytester, plugin_args: tuple[str, ...]) -> Callable[..., pytest.RunResult]:
    """Run the suite plain, with ``-n0`` and with ``-n2``."""

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest("--refinery", *plugin_args, *args)

    return run
