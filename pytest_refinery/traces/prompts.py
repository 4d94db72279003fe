"""The agent's prompts, read out of its trace.

System and user prompts, templates with their variables, and model settings; each distinct
text once, with the runs that it was given to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_refinery.traces import messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Run, Trace

# Completion models take bare texts, the Responses API ``instructions``, Anthropic ``system``.
_BARE_TEXTS = {
    **dict.fromkeys(("instructions", "system", "systemInstruction", "system_instruction"), "system"),
    **dict.fromkeys(("prompt", "prompts", "input"), "user"),
}
_SPEAKER = re.compile(r"^(System|Human|AI|Tool|Function): ", re.MULTILINE)
_SETTINGS = frozenset(
    {"model", "model_name", "engine", "temperature", "top_p", "top_k", "n", "seed", "stop", "stream", "max_tokens"}
    | {"max_completion_tokens", "max_output_tokens", "frequency_penalty", "presence_penalty", "response_format"}
    | {"reasoning_effort", "reasoning", "tool_choice", "parallel_tool_calls", "thinking", "service_tier"}
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One distinct prompt of the agent.

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
    return trace.derived(_extract)


def _extract(trace: Trace) -> tuple[Prompt, ...]:
    found: dict[tuple[str, str, tuple[str, ...]], dict[str, None]] = {}
    for run in trace.runs:
        for kind, text, variables in _entries(run):
            found.setdefault((kind, text, variables), {})[run.id] = None
    return tuple(
        Prompt(kind=kind, text=text, variables=variables, run_ids=tuple(run_ids))
        for (kind, text, variables), run_ids in found.items()
    )


_Entry = tuple[str, str, tuple[str, ...]]


def _entries(run: Run) -> Iterator[_Entry]:
    yield from _templates(run.template)
    yield from _templates(run.inputs)
    if run.kind in {RunKind.LLM, RunKind.MESSAGE, RunKind.PROMPT}:
        yield from _messages(run)
    if run.kind == RunKind.LLM:
        yield from _settings(run)


def _messages(run: Run) -> Iterator[_Entry]:
    source = run.inputs if run.kind == RunKind.LLM else run.outputs
    for message in messages.read(source).messages:
        is_speaker = run.kind == RunKind.MESSAGE and message.name is not None and message.role == "user"
        if message.role in {"system", "user"} and message.text.strip() and not is_speaker:
            yield message.role, message.text, ()
    if run.kind == RunKind.LLM and isinstance(run.inputs, Mapping):
        yield from ((role, text, ()) for role, text in bare_texts(run.inputs) if role in {"system", "user"})


def bare_texts(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield role and text of a model's prompts outside of messages, as some interfaces have it."""
    for key, role in _BARE_TEXTS.items():
        value = inputs.get(key)
        # Google's instruction is a content with parts.
        value = value.get("parts") if isinstance(value, Mapping) else value
        for item in value if isinstance(value, list) else [value]:
            text = item.get("text") if isinstance(item, Mapping) and item.get("type", "text") == "text" else item
            if isinstance(text, str) and text.strip():
                yield from _of_buffer(text) or ((role, text),)


def _of_buffer(text: str) -> list[tuple[str, str]]:
    """Return role and text of each message in LangChain's text of a conversation, nothing where it is another text."""
    found = _SPEAKER.split(text)
    if found[0].strip() or not _SPEAKER.match(text):
        return []
    return [(messages.role_of(word), said.strip()) for word, said in zip(found[1::2], found[2::2], strict=True)]


def _settings(run: Run) -> Iterator[_Entry]:
    inputs = run.inputs if isinstance(run.inputs, Mapping) else {}
    given = {key: item for key, item in inputs.items() if key in _SETTINGS and item is not None}
    stated = {key: item for key, item in run.settings.items() if key not in {"tools", "functions"}}
    if given or stated:
        yield "settings", json.dumps({**given, **stated}, ensure_ascii=False, sort_keys=True, default=str), ()


def _templates(value: object) -> Iterator[_Entry]:
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
