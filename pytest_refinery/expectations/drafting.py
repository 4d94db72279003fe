"""A new expectation file as text: what an expert has said, and what the trace shows, to choose from. Pure.

The values are written by the YAML library, so that none can be misread; the comments are placed here.
"""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.expectations import yaml_document
from pytest_refinery.expectations.verdicts import counted, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_refinery.expectations.suggestions import Suggestion
    from pytest_refinery.traces.prompts import Prompt

_WIDTH = 90
_COLUMN = 70
_PROMPTS_SHOWN = 8
_PROMPT_CHARACTERS = 90
_ABOUT = "What should have happened in one trace. Run it with: pytest --refinery"
_TO_CHOOSE = (
    "Without checks a model judges the sentence above. What code can decide, it should: of the checks below, take the "
    "'# ' off those that must hold, and off 'checks:'. Each says whether it holds on this trace."
)
# A check that holds on the trace of a bad answer says nothing of what was bad.
_HOLDS = "holds now, so it does not catch this"


@dataclass(frozen=True)
class Draft:
    """What is known of a new expectation.

    Attributes:
        trace: As the file refers to it.
        prompt_files: Globs of files that have the agent's prompts.
        trace_prompts: The prompts that the trace has, for the expert to see.
        suggestions: Checks to choose from.
    """

    id: str
    expect: str
    trace: str
    business_context: str = ""
    prompt_files: tuple[str, ...] = ()
    trace_prompts: tuple[Prompt, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


def text(draft: Draft) -> str:
    """Return the file."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(draft))


def next_steps(draft: Draft, *, path: str, runs: int) -> str:
    """Return what to say of the file at ``path``: what is in it, and what to do with it."""
    holding = sum(each.holds for each in draft.suggestions)
    failing = len(draft.suggestions) - holding
    prompts = counted(sum(prompt.kind in {"system", "template"} for prompt in draft.trace_prompts), "prompt")
    named = ", ".join(draft.prompt_files)
    number = counted(len(draft.prompt_files), "file")
    found = f"in {number} here: {named}" if named else "in no file here; name it under prompts:"
    about = {
        "trace": f"{draft.trace} ({counted(runs, 'run')})",
        "prompts": f"{prompts} in the trace; {found}",
        "checks": f"{failing + holding} to choose from: failing now {failing}, holding {holding}",
    }
    lines = [f"  {title:<9}{what}" for title, what in about.items()]
    steps = ["Take the '# ' off the checks that must hold, then run:", "", f"  pytest --refinery {shlex.quote(path)}"]
    return "".join(f"{visible(line)}\n" for line in (path, *lines, "", *steps))


def _lines(draft: Draft) -> Iterator[str]:
    yield f"# {_ABOUT}"
    yield from _mapping({"trace": draft.trace})
    if draft.prompt_files:
        yield f"prompts: {yaml_document.flow(list(draft.prompt_files))}"
    yield from _prompts(draft.trace_prompts)
    yield "expectations:"
    said = {"id": draft.id, "expect": draft.expect, "why": draft.business_context}
    yield from _indented(_mapping(said), first="  - ")
    if draft.suggestions:
        yield from _indented(_checks(draft.suggestions), first="    ")


def _mapping(values: Mapping[str, str]) -> list[str]:
    return [line for key, value in values.items() if value for line in yaml_document.block({key: value}, width=_WIDTH)]


def _indented(lines: Iterable[str], *, first: str) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{' ' * len(first) if number else first}{line}"


def _prompts(prompts: tuple[Prompt, ...]) -> Iterator[str]:
    shown = [prompt for prompt in prompts if prompt.kind != "settings"]
    if shown:
        yield "# The prompts in the trace:"
    for prompt in shown[:_PROMPTS_SHOWN]:
        runs = counted(len(prompt.run_ids), "run")
        yield f"#   {prompt.kind}, {runs}: {_shown(prompt.text)}"
    if len(shown) > _PROMPTS_SHOWN:
        yield f"#   and {len(shown) - _PROMPTS_SHOWN} more"


def _shown(words: str) -> str:
    plain = visible(" ".join(words.split()))
    return plain if len(plain) <= _PROMPT_CHARACTERS else f"{plain[:_PROMPT_CHARACTERS]} ..."


def _checks(suggestions: tuple[Suggestion, ...]) -> Iterator[str]:
    """Yield the suggestions as comments that become checks where ``# `` is taken off."""
    yield from textwrap.wrap(_TO_CHOOSE, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    yield "# checks:"
    written = [f"#   - {each.name}: {yaml_document.flow(each.argument)}" for each in suggestions]
    column = min(_COLUMN, max(map(len, written)))
    for line, each in zip(written, suggestions, strict=True):
        yield f"{line:<{column}}  # {_HOLDS if each.holds else 'fails now'}"
