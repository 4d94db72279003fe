"""Choices among what the tools offered: not asked for, not available, or not the best."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, is_write, spoken_name, values, walk

if TYPE_CHECKING:
    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_LEAST = re.compile(r"\b(cheapest|least expensive|lowest[- ]priced?|most affordable|lowest price)\b", re.IGNORECASE)
_MOST = re.compile(r"\b(most expensive|priciest|highest[- ]priced?|highest price|dearest)\b", re.IGNORECASE)

# How many messages back somebody may have spoken of a choice.
_RECENT = 40
_TALKING = frozenset({"user", "assistant"})


@dataclass(frozen=True)
class Entry:
    """One thing that a tool's result lists, under its key or id."""

    key: str
    fields: Mapping[str, object]

    @property
    def lacks(self) -> str:
        """The mark that is false for the entry, or an empty string."""
        return next((name for name, value in self.fields.items() if value is False), "")


def unasked_choices(reading: Reading) -> Iterator[Sign]:
    """Find a change that picks one of several alternatives of which nobody has spoken."""
    alternatives: dict[str, str] = {}
    for step in reading.steps:
        if step.role == "tool":
            alternatives |= _alternatives(reading.result(step))
        for call in step.calls:
            for value in values(call.arguments) if is_write(call) else ():
                if value in alternatives and not _is_spoken(reading, step, value):
                    yield Sign(
                        step=step,
                        rule="unasked_choice",
                        what=f"{call.name} uses {value}, though the user was never asked to choose between it and "
                        f"{alternatives[value]}.",
                        failure_type=FailureType.PROMPT_ISSUE,
                        quote=value,
                        subject=value,
                    )


def _alternatives(result: object) -> dict[str, str]:
    """Return for each speakable key of a result another one that stands beside it."""
    found: dict[str, str] = {}
    for item in walk(result):
        keys = [str(key) for key in item if spoken_name(str(key))]
        found |= dict(zip(keys, keys[1:] + keys[:1], strict=True)) if len(keys) > 1 else {}
    return found


def _is_spoken(reading: Reading, step: Step, value: str) -> bool:
    """Tell whether user or agent has said the words of an id, or "original", before ``step``."""
    name = spoken_name(value)
    said = (earlier.text.lower() for earlier in reading.conversation.backwards(step) if earlier.role in _TALKING)
    return any(name in text.replace("-", " ") or "original" in text for text in itertools.islice(said, _RECENT))


def unavailable_choices(reading: Reading) -> Iterator[Sign]:
    """Find calls for an entry that a tool has marked as not to be had."""
    lacking: dict[str, str] = {}
    # What a record holds already may be given up although it can no longer be had.
    owned: set[str] = set()
    for step in reading.steps:
        for entry in _listed(reading, step) if step.role == "tool" else ():
            if entry.lacks:
                lacking[entry.key] = entry.lacks
            else:
                owned.update(str(value) for value in (entry.key, *entry.fields.values()) if isinstance(value, str))
        wanted = (value for call in step.calls if is_write(call) for value in values(call.arguments))
        for value in wanted:
            if value in lacking and value not in owned:
                yield Sign(
                    step=step,
                    rule="unavailable_choice",
                    what=f"The call asks for {value}, which an earlier result marks as not {lacking[value]}.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    quote=value,
                    subject=value,
                )


def wrong_extremes(reading: Reading) -> Iterator[Sign]:
    """Find a "cheapest" or "most expensive" that is not, among the entries that can be had."""
    for step in reading.steps:
        for pattern, best in ((_LEAST, min), (_MOST, max)):
            found = pattern.search(step.text) if step.role == "assistant" else None
            prices = _prices(reading, step) if found else []
            named = (
                {float(figure) for figure in words.figures(words.quote(step.text, around=found.start()))}
                if found
                else set()
            )
            if found and prices and named & set(prices) and best(prices) not in named:
                yield Sign(
                    step=step,
                    rule="wrong_extreme",
                    what=f"The answer calls {min(named & set(prices))} the {found.group().lower()}, but the result "
                    f"lists {best(prices)}.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    quote=words.quote(step.text, around=found.start()),
                    subject=found.group(),
                )


def _prices(reading: Reading, step: Step) -> list[float]:
    """Return the prices of what the last result lists and does not mark as lacking."""
    result = next(
        (earlier for earlier in reading.conversation.backwards(step) if earlier.role == "tool" and earlier.text), None
    )
    entries = list(_listed(reading, result)) if result else []
    return [
        float(price)
        for entry in entries
        if not entry.lacks
        for price in (entry.fields.get("price"),)
        if isinstance(price, int | float)
    ]


def _listed(reading: Reading, step: Step) -> Iterator[Entry]:
    """Yield what a result lists; an entry's key is its name in the result, else its id."""
    for item in walk(reading.result(step)):
        for key, value in item.items():
            if isinstance(value, Mapping):
                yield Entry(str(key), value)
            elif isinstance(value, list):
                yield from (Entry(_id(inner), inner) for inner in value if isinstance(inner, Mapping))


def _id(entry: Mapping[str, object]) -> str:
    return str(next((item for key, item in entry.items() if str(key).endswith("id")), ""))
