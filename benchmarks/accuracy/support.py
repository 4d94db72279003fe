"""The support conversations: an agent of a shop, each labelled with the message that decided its failure.

The labels' authors have the actions that would have been right, the data has not. ``support.yaml`` therefore
holds what an expert would write who has read the conversation and knows the shop: one sentence, and
checks on the calls or the answer.
"""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.accuracy.labelled import Labelled
from pytest_refinery.expectations.checks import Check
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import conversation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_refinery.traces.conversation import Step
    from pytest_refinery.traces.model import Trace

DATA_SET = "tau"
_EXPECTATIONS = Path(__file__).with_name("support.yaml")


def read(folder: Path, *, kind: str = "nested") -> Iterator[Labelled]:
    """Yield the conversations; ``kind`` is ``nested`` (one tree each) or ``turns`` (a tree for each turn)."""
    expectations = yaml.safe_load(_EXPECTATIONS.read_text(encoding="utf-8"))
    for label in json.loads((folder / "labels.json").read_text(encoding="utf-8")):
        nested = _load(folder, "nested", label)
        trace = nested if kind == "nested" else _load(folder, kind, label)
        yield _labelled(label, trace, _own_runs(label["message_to_run_id"], nested, trace), expectations[label["file"]])


def _load(folder: Path, kind: str, label: Mapping[str, Any]) -> Trace:
    return JsonFiles().load(f"{kind}/{label['file']}.gz", base=folder)


def _own_runs(labelled: Sequence[str | None], nested: Trace, trace: Trace) -> list[str | None]:
    """Return the run of ``trace`` for each labelled message, found by what the message says."""
    if trace is nested:
        return list(labelled)
    theirs, ours = conversation.read(nested).steps, conversation.read(trace).steps
    matcher = SequenceMatcher(
        a=[_content(step) for step in theirs], b=[_content(step) for step in ours], autojunk=False
    )
    pairs = {
        theirs[block.a + offset].run_id: ours[block.b + offset].run_id
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    }
    return [pairs.get(run_id or "") for run_id in labelled]


def _content(step: Step) -> tuple[object, ...]:
    calls = [(call.name, json.dumps(call.arguments, sort_keys=True, default=str)) for call in step.calls]
    return (step.role, step.text.strip(), *calls)


def _labelled(
    label: Mapping[str, Any], trace: Trace, own: Sequence[str | None], expectation: Mapping[str, Any]
) -> Labelled:
    steps = {step.run_id: step for step in conversation.read(trace).steps}
    cause = label["root_cause"]
    return Labelled(
        data_set=DATA_SET,
        name=label["file"],
        trace=trace,
        expect=expectation["expect"],
        checks=tuple(map(Check.model_validate, expectation["checks"])),
        reason=cause["reason_for_root_cause"],
        # Message 1 is the system prompt, which no run owns.
        run_ids=tuple(own),
        speakers=tuple(_speaker(steps.get(run_id or "")) for run_id in own),
        workers=frozenset({"Assistant"}),
        texts=tuple(steps[run_id].text if run_id in steps else "" for run_id in own),
        decisive=cause["step_number"] - 1,
        agent=cause["failed_agent"],
    )


def _speaker(step: Step | None) -> str:
    if step is None:
        return "System"
    return "User" if step.role == "user" else "Assistant"
