"""Choices among what the tools offered: not asked for, not available, or not the best."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, is_write, parsed, values

if TYPE_CHECKING:
    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

# "credit_card_7952624": words that a user would say, and a number.
_SPOKEN_ID = re.compile(r"^(?P<words>[a-z]+(?:[_-][a-z]+)*)[_-]\d+$", re.IGNORECASE)
_LEAST = re.compile(r"\b(cheapest|least expensive|lowest[- ]priced?|most affordable|lowest price)\b", re.IGNORECASE)
_MOST = re.compile(r"\b(most expensive|priciest|highest[- ]priced?|highest price|dearest)\b", re.IGNORECASE)


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
    for step in reading.steps:
        for call in step.calls:
            for value in values(call.arguments) if is_write(call) else ():
                others = _alternatives(reading, step, value)
                if others and not _spoken(reading, step, value):
                    yield Sign(
                        step=step,
                        rule="unasked_choice",
                        what=f"{call.name} uses {value}, though the user was never asked to choose between it and {others[0]}.",
                        failure_type=FailureType.PROMPT_ISSUE,
                        quote=value,
                        subject=value,
                    )


def _alternatives(reading: Reading, step: Step, value: str) -> list[str]:
    """Return the other keys that a result lists beside ``value``."""
    if not _SPOKEN_ID.match(value):
        return []
    for earlier in reading.conversation.before(step):
        for siblings in _siblings(reading, earlier):
            if value in siblings:
                return [key for key in siblings if key != value and _SPOKEN_ID.match(key)]
    return []


def _siblings(reading: Reading, step: Step) -> Iterator[list[str]]:
    stack = [reading.result(step)]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            yield [str(key) for key in item]
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _spoken(reading: Reading, step: Step, value: str) -> bool:
    found = _SPOKEN_ID.match(value)
    name = re.sub(r"[_-]", " ", found["words"]).lower() if found else value.lower()
    said = (earlier.text.lower() for earlier in reading.conversation.before(step) if earlier.role in {"user", "assistant"})
    return any(name in text.replace("-", " ") or "original" in text for text in said)


def unavailable_choices(reading: Reading) -> Iterator[Sign]:
    """Find calls for an entry that a tool has marked as not to be had."""
    for step in reading.steps:
        wanted = {value for call in step.calls if is_write(call) for value in values(call.arguments)}
        listed = list(_entries(reading, step)) if wanted else []
        # What a record holds already may be given up although it can no longer be had.
        owned = {str(value) for entry in listed if not entry.lacks for value in (entry.key, *entry.fields.values())}
        for entry in listed:
            if entry.key in wanted - owned and entry.lacks:
                yield Sign(
                    step=step,
                    rule="unavailable_choice",
                    what=f"The call asks for {entry.key}, which an earlier result marks as not {entry.lacks}.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    quote=entry.key,
                    subject=entry.key,
                )


def wrong_extremes(reading: Reading) -> Iterator[Sign]:
    """Find a "cheapest" or "most expensive" that is not, among the entries that can be had."""
    for step in reading.steps:
        for pattern, best in ((_LEAST, min), (_MOST, max)):
            found = pattern.search(step.text) if step.role == "assistant" else None
            prices = _prices(reading, step) if found else []
            named = {float(figure) for figure in words.figures(words.quote(step.text, around=found.start()))} if found else set()
            if found and prices and named & set(prices) and best(prices) not in named:
                yield Sign(
                    step=step,
                    rule="wrong_extreme",
                    what=f"The answer calls {min(named & set(prices))} the {found.group().lower()}, but the result lists {best(prices)}.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    quote=words.quote(step.text, around=found.start()),
                    subject=found.group(),
                )


def _prices(reading: Reading, step: Step) -> list[float]:
    """Return the prices of what the last result lists and does not mark as lacking."""
    result = next((earlier for earlier in reversed(reading.conversation.before(step)) if earlier.role == "tool" and earlier.text), None)
    entries = list(_listed(reading, result)) if result else []
    return [float(price) for entry in entries if not entry.lacks for price in (entry.fields.get("price"),) if isinstance(price, int | float)]


def _entries(reading: Reading, step: Step) -> Iterator[Entry]:
    for earlier in reading.conversation.before(step):
        if earlier.role == "tool":
            yield from _listed(reading, earlier)


def _listed(reading: Reading, step: Step) -> Iterator[Entry]:
    stack: list[tuple[str, object]] = [("", reading.result(step))]
    while stack:
        key, item = stack.pop()
        if isinstance(item, Mapping):
            if any(not isinstance(value, Mapping | list) for value in item.values()):
                yield Entry(key or str(item.get("id", "")), item)
            stack.extend((str(name), value) for name, value in item.items())
        elif isinstance(item, list):
            stack.extend((_id(value), value) for value in item)


def _id(value: object) -> str:
    return str(next((item for key, item in value.items() if str(key).endswith("id")), "")) if isinstance(value, Mapping) else ""
