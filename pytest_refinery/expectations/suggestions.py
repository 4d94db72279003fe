"""Checks that an expert might want for a trace, each with whether it holds on it now."""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import CheckError
from pytest_refinery.expectations import tool_calls
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.traces import answer, conversation, json_values, model_calls, prompts
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
# Also of what must come first, or hold alone.
_FORBIDS = re.compile(rf"{_NEGATED.pattern}|\b(?:before|unless|until|instead|only)\b", re.IGNORECASE)
_DAY = re.compile(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|\b[Tt]omorrow\b")
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in calendar.month_name[1:])
_MONTH_AND_DAY = re.compile(
    rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})\b"
    rf"|\b(?P<then_month>{_MONTH}) (?P<then_day>\d{{1,2}})\b"
)
_DATE = re.compile(r"(?P<year>\d{4})-\d\d-\d\d")
_CLOSING = re.compile(
    r"let me know|anything else|feel free|happy to help|have a (?:great|good|nice)|welcome", re.IGNORECASE
)
_LIST_NUMBER = re.compile(r"^[ \t]*\d+[.)]\s", re.MULTILINE)
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
    yield from _about_figures(said, expect, known, is_forbidding=key == "not_contains")
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
    return _Known(frozenset(_value(figure) for text in told for figure in _figures(text)), tuple(dict.fromkeys(given)))


def _about_figures(said: str, expect: str, known: _Known, *, is_forbidding: bool) -> Iterator[Mapping[str, object]]:
    """Yield the figures that the agent made up, and those that its tools gave and it left out, or should not tell."""
    given, named = set(map(_value, known.given)), set(map(_value, _figures(expect)))
    told = [figure for figure in _figures(said) if _value(figure) not in known.told]
    made_up = [figure for figure in told if _value(figure) not in given | named]
    forbidden = told if is_forbidding else made_up
    yield from ({"not_contains": figure} for figure in forbidden[:_MOST_OF_A_KIND])
    left_out = {_value(figure): figure for figure in known.given} | {
        _value(figure): figure for figure in _figures(expect)
    }
    for value in map(_value, _figures(said)):
        left_out.pop(value, None)
    wanted = [figure for value, figure in left_out.items() if value in given and (value in named if named else made_up)]
    unknown = [figure for figure in wanted if named or _value(figure) not in known.told]
    yield from ({"contains": figure} for figure in unknown[: 0 if is_forbidding else _MOST_OF_A_KIND])


def _value(figure: str) -> str:
    """Return a figure as it is compared: ``4,200`` and ``4200.0`` are one."""
    plain = re.sub(r",(?=\d{3}(?!\d))", "", figure)
    return re.sub(r"(?<=\d)\.0+$", "", plain)


def _figures(text: str) -> list[str]:
    """Return the figures of a text, without the numbers of lists, and the days that it names."""
    figures = (found.rstrip(".,") for found in _FIGURE.findall(_LIST_NUMBER.sub("", text)))
    return list(dict.fromkeys([*figures, *_DAY.findall(text)]))


def _quoted(sentence: str) -> list[str]:
    return ["".join(groups).strip() for groups in _QUOTED.findall(sentence)][:_MOST_OF_A_KIND]


def _nearest_phrase(said: str, expect: str) -> str:
    """Return the sentence, or its first words, that has most in common with what is expected; else the last claim."""
    sentences = [sentence.strip() for sentence in _SENTENCE.split(said) if re.search(r"\w", sentence)]
    sentences = [each for each in sentences if not _CLOSING.search(each)] or sentences
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
    recorded = _recorded(trace)
    for call, given in _told_arguments(trace):
        other = {key: recorded[key] for key, value in given.items() if _differs(value, recorded.get(key, value))}
        same = {key: value for key, value in given.items() if key not in other}
        yield from ({"arguments": {call.name: part}} for part in (_named(given, expect), other, same) if part)
    mentioned = set(_telling(expect))
    offered = sorted((name for name in _offered(trace) if name not in called), key=lambda n: not _is_of(n, mentioned))
    yield from ({"called": name} for name in offered[:_MOST_OF_A_KIND])
    forbidden = called if _FORBIDS.search(expect) else []
    yield from ({"not_called": name} for name in forbidden if _is_of(name, mentioned))
    repeated = [name for name in called if calls.count(name) > 1]
    yield from ({"at_most": {name: 1}} for name in repeated[:_MOST_OF_A_KIND])


def _named(given: Mapping[str, object], expect: str) -> dict[str, object]:
    """Return the one argument of the sort of the only date or figure that the sentence names, with that value."""
    days = [_DATE.fullmatch(str(value)) for value in given.values()]
    if named := _MONTH_AND_DAY.search(expect):
        month = list(calendar.month_abbr).index((named["month"] or named["then_month"])[:3])
        day = int(named["day"] or named["then_day"])
        wanted: Iterable[object] = (f"{found['year']}-{month:02}-{day:02}" if found else None for found in days)
    else:
        figures = [figure for figure in map(_value, _figures(expect)) if figure.isdecimal()]
        wanted = (int(figures[0]) if len(figures) == 1 and type(value) is int else None for value in given.values())
    found = {key: value for key, value in zip(given, wanted, strict=True) if value is not None}
    return found if len(found) == 1 and not found.items() <= given.items() else {}


def _recorded(trace: Trace) -> dict[str, object]:
    """Return the plain values that the results of tools have under one key, where that is one value."""
    found: dict[str, list[object]] = {}
    for step in conversation.read(trace).steps:
        body = json_values.parsed(step.text) if step.role == "tool" else None
        for key, value in _plain(body, most=None).items():
            found.setdefault(key, []).append(value)
    return {key: values[0] for key, values in found.items() if not any(_differs(values[0], each) for each in values)}


def _differs(one: object, other: object) -> bool:
    return _value(str(one)) != _value(str(other))


def _told_arguments(trace: Trace) -> list[tuple[Call, dict[str, object]]]:
    """Return the first call of each tool with its plain arguments."""
    first = {call.name: call for call in reversed(tool_calls.of(trace)) if call.name.strip()}
    plain = [(call, _plain(call.readings[-1])) for call in reversed(first.values())]
    return [(call, given) for call, given in plain if given][:_MOST_OF_A_KIND]


def _plain(arguments: object, *, most: int | None = _MOST_OF_A_KIND) -> dict[str, object]:
    given = arguments if isinstance(arguments, Mapping) else {}
    short = {key: value for key, value in given.items() if isinstance(value, int | float) or _is_word(value)}
    return dict(islice(short.items(), most))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_WORD and "\n" not in value


def _is_of(tool: str, words: Iterable[str]) -> bool:
    """Tell whether one of the words is a part of the tool's name, endings aside."""
    parts = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", tool).lower())
    return any(word.startswith(part[:5]) for part in parts if len(part) >= _SHORTEST_TELLING - 1 for word in words)


def _offered(trace: Trace) -> list[str]:
    """Return the tools that a model could have called."""
    runs = (run for run in trace.runs if run.kind in {RunKind.LLM, RunKind.MESSAGE})
    return list(dict.fromkeys(tool.name for run in runs for tool in model_calls.offered(run) if tool.name.strip()))
