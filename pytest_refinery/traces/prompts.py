"""What the agent was told, read out of its trace.

System and user prompts, templates with their variables, and model settings; each distinct
text once, with the runs that it was given to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_refinery.traces import messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run, Trace


@dataclass(frozen=True, slots=True)
class Prompt:
    """One distinct thing that the agent was told.

    Attributes:
        kind: ``system``, ``user``, ``template`` or ``settings``.
        text: The prompt; a template with its variables in place; settings as compact JSON.
        variables: The names of a template's variables.
        run_ids: The runs it was given to, in order; the first is where it came from.
    """

    kind: str
    text: str
    run_ids: tuple[str, ...]
    variables: tuple[str, ...] = ()


def extract(trace: Trace) -> tuple[Prompt, ...]:
    """Return the distinct prompts of a trace in the order of their first use."""
    found: dict[tuple[str, str, tuple[str, ...]], dict[str, None]] = {}
    for run in trace.runs:
        for kind, text, variables in _told(run):
            found.setdefault((kind, text, variables), {})[run.id] = None
    return tuple(
        Prompt(kind=kind, text=text, variables=variables, run_ids=tuple(run_ids))
        for (kind, text, variables), run_ids in found.items()
    )


_Told = tuple[str, str, tuple[str, ...]]


def _told(run: Run) -> Iterator[_Told]:
    yield from _templates(run.template)
    yield from _templates(run.inputs)
    if run.kind in {RunKind.LLM, RunKind.MESSAGE, RunKind.PROMPT}:
        yield from _messages(run)
    if run.kind == RunKind.LLM:
        yield from _settings(run)


def _messages(run: Run) -> Iterator[_Told]:
    source = run.inputs if run.kind == RunKind.LLM else run.outputs
    for message in messages.read(source).messages:
        is_speaker = run.kind == RunKind.MESSAGE and message.name is not None and message.role == "user"
        if message.role in {"system", "user"} and message.text.strip() and not is_speaker:
            yield message.role, message.text, ()
    if isinstance(run.inputs, Mapping):
        # LangChain's completion models take bare texts.
        for text in run.inputs.get("prompts") or ():
            if isinstance(text, str):
                yield "user", text, ()
        for key in ("instructions", "system"):
            if isinstance(run.inputs.get(key), str):
                yield "system", run.inputs[key], ()


def _settings(run: Run) -> Iterator[_Told]:
    settings = {key: value for key, value in run.settings.items() if key not in {"tools", "functions"}}
    if isinstance(run.inputs, Mapping):
        plain = (str, int, float, bool)
        told = {key: item for key, item in run.inputs.items() if isinstance(item, plain)}
        settings = {**{key: item for key, item in told.items() if key not in {"instructions", "system", "input", "prompt"}}, **settings}
    if settings:
        yield "settings", json.dumps(settings, ensure_ascii=False, sort_keys=True, default=str), ()


def _templates(value: object) -> Iterator[_Told]:
    """Find serialised prompt templates at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from _templates(item)
    if not isinstance(value, Mapping):
        return
    kwargs = value.get("kwargs")
    if value.get("lc") == 1 and isinstance(kwargs, Mapping) and isinstance(kwargs.get("template"), str):
        yield "template", kwargs["template"], _variables(kwargs)
        return
    if value.get("lc") == 1 and isinstance(kwargs, Mapping):
        value = kwargs
    for item in value.values():
        if isinstance(item, Mapping | list):
            yield from _templates(item)


def _variables(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    names = kwargs.get("input_variables")
    return tuple(str(name) for name in names) if isinstance(names, list) else ()
