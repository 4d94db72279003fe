"""Failure logs of teams of agents that answer a question, each labelled with the agent and step to blame.

The expert's sentence is the question. The checks say the right answer, which an expert knows, and the wrong
answer, where the log ends in one: a hand-crafted team prints it in its last message; for generated
teams ``wrong_answers.yaml`` holds what a person reads as the answer.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.accuracy.labelled import Labelled
from pytest_refinery.expectations.checks import Check
from pytest_refinery.sources.json_files import JsonFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DATA_SETS = {"Algorithm-Generated": "generated teams", "Hand-Crafted": "hand-crafted team"}
# These agents only coordinate, ask, or execute what others wrote.
_NO_WORKERS = frozenset({"Orchestrator", "human", "Computer_terminal", "ComputerTerminal"})
_FINAL_ANSWER = re.compile(r"^FINAL ANSWER: (?P<answer>.+)$", re.MULTILINE)
_WRONG_ANSWERS = Path(__file__).with_name("wrong_answers.yaml")


def read(folder: Path) -> Iterator[Labelled]:
    """Yield the logs, first those of generated teams."""
    wrong = yaml.safe_load(_WRONG_ANSWERS.read_text(encoding="utf-8"))
    for name, data_set in DATA_SETS.items():
        for path in sorted((folder / name).glob("*.json"), key=lambda path: int(path.stem)):
            log = json.loads(path.read_text(encoding="utf-8"))
            named = wrong.get(int(path.stem)) if data_set == "generated teams" else _printed_answer(log)
            yield _labelled(log, path, data_set=data_set, wrong=named)


def _printed_answer(log: Mapping[str, Any]) -> str | None:
    match = _FINAL_ANSWER.search(log["history"][-1]["content"])
    return match["answer"].strip() if match else None


def _labelled(log: Mapping[str, Any], path: Path, *, data_set: str, wrong: str | None) -> Labelled:
    trace = JsonFiles().load(path.name, base=path.parent)
    speakers = tuple(_speaker(message) for message in log["history"])
    return Labelled(
        data_set=data_set,
        name=path.name,
        trace=trace,
        expect=f"The team answers the question correctly: {log['question']}",
        checks=tuple(map(Check.model_validate, _checks(log["ground_truth"], wrong))),
        reason=log["mistake_reason"],
        run_ids=tuple(run.id for run in trace.runs),
        speakers=speakers,
        workers=frozenset(speakers) - _NO_WORKERS,
        texts=tuple(str(message["content"]) for message in log["history"]),
        decisive=int(log["mistake_step"]),
        agent=log["mistake_agent"],
        secrets=(log["question"], log["ground_truth"]),
    )


def _checks(right: str, wrong: str | None) -> Iterator[dict[str, Any]]:
    yield {"output": {"contains": right.splitlines(), "whole_words": True}}
    if wrong and wrong.casefold() not in right.casefold():
        yield {"output": {"not_contains": wrong, "in": "any", "whole_words": True}}


def _speaker(message: Mapping[str, Any]) -> str:
    return str(message.get("name") or message["role"].split(" (")[0])
