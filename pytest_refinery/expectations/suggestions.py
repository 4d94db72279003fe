"""Checks that an expert might want for a trace, each with whether it holds on it now."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations import tool_calls
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.expectations.output_check import folded
from pytest_refinery.traces import answer
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_refinery.traces.model import Trace

_MOST_TOOLS = 6
_MOST_OF_A_KIND = 3
# A whole sentence of so many words, or so many of a longer one.
_SENTENCE_WORDS, _PHRASE_WORDS = 8, 6
# Words that say little about what an answer should hold.
_SHORTEST_TELLING = 5
_COMMON = frozenset(
    "about after agent again answer answers asked assistant before between chatbot client could customer every first "
    "might model never other reply replies response should their there these thing those users where which without "
    "would".split()
)
_NEGATED = re.compile(r"\b(?:not|never|no|none|without|cannot)\b|n't\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]{2,80})[\"”“»]|(?<!\w)'([^']{2,80})'(?!\w)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True)
class Suggestion:
    """A check as it is written in a file, and whether it holds."""

    name: str
    argument: object
    holds: bool


def suggest(trace: Trace, *, expect: str) -> tuple[Suggestion, ...]:
    """Return checks about what the trace shows, in the order of the reference of checks.

    Args:
        trace: The trace that the expectation is about.
        expect: The sentence of the expectation; what it names comes first.
    """
    wanted = dict.fromkeys(json.dumps(candidate) for candidate in _candidates(trace, expect))
    decided = (_decided(json.loads(candidate), trace) for candidate in wanted)
    return tuple(filter(None, decided))


def _decided(written: dict[str, Any], trace: Trace) -> Suggestion | None:
    """Return the suggestion, ``None`` where the trace or what is installed cannot decide it."""
    ((name, argument),) = written.items()
    try:
        verdicts = run_checks([Check.model_validate(written)], trace)
    except (CheckError, ValueError):
        return None
    return Suggestion(name, argument, holds=all(verdict.passed for verdict in verdicts))


def _candidates(trace: Trace, expect: str) -> Iterator[Mapping[str, object]]:
    said = answer.of(trace).text
    if said is None:
        yield {"output": {"matches": r"\w"}}
    else:
        yield from ({"output": demand} for demand in _about_answer(said, expect))
    yield from ({"tools": demand} for demand in _about_tools(trace, expect))
    yield {"errors": "none"}
    yield from _about_size(trace)


def _about_answer(said: str, expect: str) -> Iterator[Mapping[str, object]]:
    key = "not_contains" if _NEGATED.search(_QUOTED.sub("", expect)) else "contains"
    yield from ({key: quoted} for quoted in _quoted(expect))
    phrase = _nearest_phrase(said, expect)
    if phrase:
        yield {"not_contains": phrase}
    lacking = [word for word in _telling(expect) if folded(word) not in folded(said)]
    if lacking:
        yield {"contains": max(lacking, key=len)}
    keys = _keys_of_json(said)
    if keys:
        yield {"json_schema": {"type": "object", "required": keys}}


def _quoted(sentence: str) -> list[str]:
    return ["".join(groups).strip() for groups in _QUOTED.findall(sentence)][:_MOST_OF_A_KIND]


def _nearest_phrase(said: str, expect: str) -> str:
    """Return the sentence, or its first words, that has most in common with what is expected; else the last."""
    sentences = [sentence.strip() for sentence in _SENTENCE.split(said) if re.search(r"\w", sentence)]
    wanted = set(_telling(expect))
    nearest = max(reversed(sentences), key=lambda sentence: len(wanted & set(_telling(sentence))), default="")
    words = nearest.split()
    return " ".join(words if len(words) <= _SENTENCE_WORDS else words[:_PHRASE_WORDS]).rstrip(".,:;!?")


def _telling(sentence: str) -> list[str]:
    words = re.findall(r"[^\W\d_]+", sentence.lower())
    return [word for word in words if len(word) >= _SHORTEST_TELLING and word not in _COMMON]


def _keys_of_json(said: str) -> list[str]:
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        return []
    return list(value) if isinstance(value, dict) else []


def _about_tools(trace: Trace, expect: str) -> Iterator[Mapping[str, object]]:
    calls = [call.name for call in tool_calls.of(trace) if call.name.strip()]
    called = list(dict.fromkeys(calls))
    if called:
        yield {"called": called[:_MOST_TOOLS] if called[1:] else called[0]}
    if called[1:]:
        yield {"in_order": called[:_MOST_TOOLS]}
    mentioned = set(_telling(expect))
    offered = sorted((name for name in _offered(trace) if name not in called), key=lambda n: not _is_of(n, mentioned))
    yield from ({"called": name} for name in offered[:_MOST_OF_A_KIND])
    yield from ({"not_called": name} for name in called if _is_of(name, mentioned))
    repeated = [name for name in called if calls.count(name) > 1]
    yield from ({"at_most": {name: 1}} for name in repeated[:_MOST_OF_A_KIND])


def _is_of(tool: str, words: Iterable[str]) -> bool:
    """Tell whether one of the words is a part of the tool's name, endings aside."""
    parts = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", tool).lower())
    return any(word.startswith(part[:5]) for part in parts if len(part) >= _SHORTEST_TELLING - 1 for word in words)


def _offered(trace: Trace) -> list[str]:
    """Return the tools that a model could have called."""
    runs = [run.settings for run in trace.runs if run.kind == RunKind.LLM]
    listed = [tool for settings in runs for tool in _listed(settings.get("tools") or settings.get("functions"))]
    return list(dict.fromkeys(name for tool in listed if isinstance(name := _name(tool), str) and name.strip()))


def _listed(tools: object) -> list[Mapping[str, Any]]:
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _name(tool: Mapping[str, Any]) -> object:
    inner = tool.get("function")
    return inner.get("name") if isinstance(inner, dict) else tool.get("name")


def _about_size(trace: Trace) -> Iterator[Mapping[str, object]]:
    calls = sum(run.kind == RunKind.LLM for run in trace.runs)
    if calls:
        yield {"runs": {"at_most": calls, "kind": "llm"}}
    if trace.seconds:
        yield {"latency": {"seconds": math.ceil(trace.seconds)}}
    used = sum(run.usage.get("total_tokens", 0) for run in trace.runs if run.kind == RunKind.LLM)
    if used:
        # Two figures: a limit that somebody may have chosen.
        step = 10 ** max(0, len(str(used)) - 2)
        yield {"tokens": {"at_most": math.ceil(used / step) * step}}
