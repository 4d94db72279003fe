"""Checks that an expert might want for a trace, each with whether it holds on it now."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations import tool_calls
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.traces import answer, conversation, prompts
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_refinery.expectations.tool_calls import Call
    from pytest_refinery.traces.model import Trace

_MOST_TOOLS = 6
_MOST_OF_A_KIND = 3
_LONGEST_WORD = 40
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
_FIGURE = re.compile(r"(?<![\w.])\d[\d.,:/-]*(?!\w)")
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
        yield from ({"output": demand} for demand in _about_answer(said, expect, _known(trace)))
    yield from ({"tools": demand} for demand in _about_tools(trace, expect))
    yield {"errors": "none"}


def _about_answer(said: str, expect: str, known: _Known) -> Iterator[Mapping[str, object]]:
    key = "not_contains" if _NEGATED.search(_QUOTED.sub("", expect)) else "contains"
    yield from ({key: quoted} for quoted in _quoted(expect))
    phrase = _nearest_phrase(said, expect)
    if phrase:
        yield {"not_contains": phrase}
    yield from _about_figures(said, known)
    keys = _keys_of_json(said)
    if keys:
        yield {"json_schema": {"type": "object", "required": keys}}


@dataclass(frozen=True)
class _Known:
    """The figures that the agent could know: of its input, and of what its tools gave."""

    told: frozenset[str]
    given: tuple[str, ...]


def _known(trace: Trace) -> _Known:
    steps = conversation.read(trace).steps
    told = [*(step.text for step in steps if step.role == "user"), *(prompt.text for prompt in prompts.extract(trace))]
    given = [figure for step in steps if step.role == "tool" for figure in _figures(step.text)]
    return _Known(frozenset(figure for text in told for figure in _figures(text)), tuple(dict.fromkeys(given)))


def _about_figures(said: str, known: _Known) -> Iterator[Mapping[str, object]]:
    """Yield the figures that the agent made up, and beside these the ones that its tools gave and it left out."""
    made_up = [figure for figure in _figures(said) if figure not in known.told and figure not in known.given]
    yield from ({"not_contains": figure} for figure in made_up[:_MOST_OF_A_KIND])
    left_out = [figure for figure in known.given if figure not in _figures(said) and figure not in known.told]
    yield from ({"contains": figure} for figure in left_out[: _MOST_OF_A_KIND if made_up else 0])


def _figures(text: str) -> list[str]:
    return list(dict.fromkeys(found.rstrip(".,") for found in _FIGURE.findall(text)))


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
    yield from ({"arguments": {call.name: given}} for call, given in _told_arguments(trace))
    mentioned = set(_telling(expect))
    offered = sorted((name for name in _offered(trace) if name not in called), key=lambda n: not _is_of(n, mentioned))
    yield from ({"called": name} for name in offered[:_MOST_OF_A_KIND])
    yield from ({"not_called": name} for name in called if _is_of(name, mentioned))
    repeated = [name for name in called if calls.count(name) > 1]
    yield from ({"at_most": {name: 1}} for name in repeated[:_MOST_OF_A_KIND])


def _told_arguments(trace: Trace) -> list[tuple[Call, dict[str, object]]]:
    """Return the first call of each tool with its plain arguments."""
    first = {call.name: call for call in reversed(tool_calls.of(trace)) if call.name.strip()}
    plain = [(call, _plain(call.readings[-1])) for call in reversed(first.values())]
    return [(call, given) for call, given in plain if given][:_MOST_OF_A_KIND]


def _plain(arguments: object) -> dict[str, object]:
    given = arguments if isinstance(arguments, Mapping) else {}
    short = {key: value for key, value in given.items() if isinstance(value, int | float) or _is_word(value)}
    return dict(islice(short.items(), _MOST_OF_A_KIND))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_WORD and "\n" not in value


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
