"""Labelled traces from the data beside the checkout.

The analyst is given what a user of the plugin would have written: for the support
conversations one general sentence, for the question-answering teams the question, and with
``answers=True`` the right answer as well, which an expert would know. No word of a label ever
reaches the analyst.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy.labelled import Labelled
from pytest_refinery.analysis.ports import Case
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import conversation, prompts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_refinery.traces.model import Trace

POLICY = (
    "The agent does what the user asked for, completely and as its policy says, "
    "and gives only information that its tools returned."
)


def read(data: Path, *, answers: bool, kind: str = "nested") -> list[Labelled]:
    """Return all labelled traces under ``data``, the support conversations in their ``kind`` of recording."""
    return [*tau(data / "langsmith_tau", kind=kind), *who_and_when(data / "who_and_when", answers=answers)]


def tau(folder: Path, *, kind: str = "nested") -> Iterator[Labelled]:
    """Yield the conversations of a support agent; ``kind`` is ``nested`` or ``turns``."""
    for label in _json(folder / "labels.json"):
        trace = JsonFiles().load(f"{kind}/{label['file']}.gz", base=folder)
        yield _tau_case(label, trace, kind=kind)


def _tau_case(label: dict[str, Any], trace: Trace, *, kind: str) -> Labelled:
    steps = conversation.read(trace).steps
    # Message 1 is the system prompt, which no run owns; turns have ids of their own, in the same order.
    own = label["message_to_run_id"] if kind == "nested" else [None, *(step.run_id for step in steps)]
    roles = {step.run_id: "User" if step.role == "user" else "Assistant" for step in steps}
    texts = {step.run_id: step.text for step in steps}
    cause = label["root_cause"]
    return Labelled(
        data_set="tau",
        name=label["file"],
        case=Case(trace=trace, expect=POLICY, prompts=prompts.extract(trace)),
        run_ids=tuple(own),
        speakers=tuple(roles.get(run_id or "", "System") for run_id in own),
        workers=frozenset({"Assistant"}),
        texts=tuple(texts.get(run_id or "", "") for run_id in own),
        decisive=cause["step_number"] - 1,
        agent=cause["failed_agent"],
        failures=frozenset(failure["step_number"] - 1 for failure in label["failures"]),
        category=cause["failure_category"],
        reason=cause["reason_for_root_cause"],
    )


# These agents only coordinate, ask, or execute what others wrote.
_NO_WORKERS = frozenset({"Orchestrator", "human", "Computer_terminal", "ComputerTerminal"})
_DATA_SETS = {"Algorithm-Generated": "generated teams", "Hand-Crafted": "hand-crafted team"}


def who_and_when(folder: Path, *, answers: bool) -> Iterator[Labelled]:
    """Yield the failure logs of teams; with ``answers`` the expectation holds the right answer."""
    for name, data_set in _DATA_SETS.items():
        for path in sorted((folder / name).glob("*.json"), key=lambda path: int(path.stem)):
            yield _team_case(_json(path), path, data_set=data_set, answers=answers)


def _team_case(log: dict[str, Any], path: Path, *, data_set: str, answers: bool) -> Labelled:
    trace = JsonFiles().load(path.name, base=path.parent)
    speakers = tuple(_speaker(message) for message in log["history"])
    expect = f"The team answers the question correctly: {log['question']}"
    decisive = int(log["mistake_step"])
    return Labelled(
        data_set=data_set,
        name=path.name,
        case=Case(
            trace=trace,
            expect=f"{expect} The right answer is {log['ground_truth']}." if answers else expect,
            prompts=prompts.extract(trace),
        ),
        run_ids=tuple(run.id for run in trace.runs),
        speakers=speakers,
        workers=frozenset(speakers) - _NO_WORKERS,
        texts=tuple(str(message["content"]) for message in log["history"]),
        decisive=decisive,
        agent=log["mistake_agent"],
        failures=frozenset({decisive}),
        reason=log["mistake_reason"],
    )


def _speaker(message: dict[str, Any]) -> str:
    return str(message.get("name") or message["role"].split(" (")[0])


def _json(path: Path) -> Any:  # noqa: ANN401  (what JSON holds)
    return json.loads(path.read_text(encoding="utf-8"))
