"""The texts of the prompts, and the fences around what comes from a trace."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import Case

_FOLDER = resources.files(__package__) / "prompts"
_FAILURE_TYPES = {
    FailureType.PROMPT_ISSUE: "what the agent was told is wrong, unclear or lacking",
    FailureType.CONTEXT_ISSUE: "it was not given, or lost, something about this conversation or customer",
    FailureType.TOOL_ISSUE: "a tool failed, or was called wrongly or not at all",
    FailureType.RETRIEVAL_ISSUE: "a search found nothing, or the wrong thing",
    FailureType.ORCHESTRATION_ISSUE: "loops, lost hand-overs, steps in the wrong order",
    FailureType.OUTPUT_PARSING_ISSUE: "an output was cut off or could not be read",
    FailureType.MODEL_LIMITATION: "it was told, had what it needed, and still did wrong",
    FailureType.INFRASTRUCTURE: "time-outs, rate limits, services that were down",
}


@cache
def text(name: str) -> str:
    """Return the text of a prompt."""
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8")


def filled(name: str, **values: object) -> str:
    """Return a prompt with its values; those that all of them share need not be given."""
    return Template(text(name)).substitute(values | {"failure_types": _failure_types()})


@cache
def version() -> str:
    """Return what changes whenever one of the texts does."""
    names = sorted(path.name for path in _FOLDER.iterdir() if path.name.endswith(".md"))
    whole = "\n".join(text(name.removesuffix(".md")) for name in names)
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def fenced(title: str, data: str) -> str:
    """Return ``data`` between two lines that nothing inside can be: they carry a hash of it.

    The same data always has the same fence, so that requests can be recorded and replayed.
    """
    word = hashlib.sha256(data.encode()).hexdigest()[:16]
    return f"BEGIN DATA {word} ({title})\n{data}\nEND DATA {word}"


def expectation(case: Case) -> str:
    """Return what was expected, and the success conditions that follow from it."""
    conditions = dict.fromkeys([case.expect, *(failure.expected for failure in case.failures)])
    parts = [
        f"Expectation: {_line(case.expect)}",
        f"Why it matters: {_line(case.business_context)}" if case.business_context else "",
        "Success conditions:",
        *(f"{number}. {_line(condition)}" for number, condition in enumerate(conditions, start=1)),
        _failures(case),
        _divergence(case),
    ]
    return "\n".join(filter(None, parts))


def _failures(case: Case) -> str:
    found = "\n".join(f"- {_line(failure.actual)}" for failure in case.failures)
    return f"What was found instead:\n{fenced('from the trace', found)}" if found else ""


def _divergence(case: Case) -> str:
    if case.divergence is None:
        return ""
    given = [("given to the agent", each) for each in case.divergence.given]
    did = [("first done by the agent", case.divergence.did)] if case.divergence.did else []
    found = "\n".join(
        f"- {how}, step {each.step}, {each.aspect}: {json.dumps(each.before)} -> {json.dumps(each.after)}"
        for how, each in (*given, *did)
    )
    return f"What differs from an earlier run that met the expectation:\n{fenced('from both traces', found)}"


def _line(words: str) -> str:
    return " ".join(words.split())


@cache
def _failure_types() -> str:
    return "; ".join(f"`{kind.value}` ({meaning})" for kind, meaning in _FAILURE_TYPES.items())
