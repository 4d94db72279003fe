"""Calls that go against what the user has said."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, is_write, spoken_name, values, walk

if TYPE_CHECKING:
    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step

_SHORTEST_LABEL = 3
# How many of the user's messages back a wish still counts.
_RECENT = 4


@dataclass(frozen=True)
class Slot:
    """What an identifier stands for in one respect, beside what else there was."""

    chosen: str
    others: frozenset[str]


def contradicted_wishes(reading: Reading) -> Iterator[Sign]:
    """Find changes with one of several possibilities where the user last named another one."""
    known = _Known()
    for step in reading.steps:
        if step.role == "tool":
            known.add(reading.result(step))
        for call in step.calls:
            for value in values(call.arguments) if is_write(call) else ():
                sign = _contradicted(reading, step, known.slots(value), known.held)
                if sign is not None:
                    yield sign


def _contradicted(reading: Reading, step: Step, slots: list[Slot], held: set[str]) -> Sign | None:
    for slot in slots:
        wish = _last_wish(reading, step, slot, held)
        if wish is not None:
            request, named = wish
            return Sign(
                step=step,
                rule="contradicted_wish",
                what=f"The user asked for “{named}”, and {step.calls[0].name} is called with “{slot.chosen}”.",
                failure_type=FailureType.MODEL_LIMITATION,
                quote=words.quote(request.text, around=max(request.text.lower().find(named), 0)),
                quoted=request,
                subject=named,
            )
    return None


def _last_wish(reading: Reading, step: Step, slot: Slot, held: set[str]) -> tuple[Step, str] | None:
    """Return the last words of the user about a slot, if they name something else and nothing that the user has."""
    users = (earlier for earlier in reading.conversation.backwards(step) if earlier.role == "user")
    for request in itertools.islice(users, _RECENT):
        said = request.text.lower().replace("-", " ")
        if _names(said, slot.chosen):
            return None
        named = next((other for other in sorted(slot.others - held) if _names(said, other)), None)
        if named is not None:
            return request, named
    return None


def _names(said: str, label: str) -> bool:
    return label in said and bool(re.search(rf"(?<!\w){re.escape(label)}(?!\w)", said))


@dataclass
class _Known:
    """What the results so far have said about identifiers.

    Attributes:
        spoken: Speakable ids, each beside those listed with it.
        offered: The options of entries that can be had or not, beside those of the other entries.
        held: The options and ids of what the user has already.
    """

    spoken: dict[str, list[Slot]] = field(default_factory=dict)
    offered: dict[str, list[Slot]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def slots(self, identifier: str) -> list[Slot]:
        """Return what an identifier stands for, nothing where it is the user's own and may be given up."""
        return self.spoken.get(identifier) or (
            [] if identifier.lower() in self.held else self.offered.get(identifier, [])
        )

    def add(self, result: object) -> None:
        for item in walk(result):
            named = {str(key): spoken_name(str(key)) for key in item if spoken_name(str(key))}
            for key, label in named.items():
                self.spoken[key] = [Slot(label, frozenset(named.values()) - {label})]
            offers = {str(key): _options(entry) for key, entry in item.items() if _is_marked(entry)}
            for key, options in offers.items():
                self.offered[key] = [
                    Slot(label, _others(offers.values(), name, label)) for name, label in options.items()
                ]
        self.held |= set(_held(result))


def _others(offers: Iterable[Mapping[str, str]], name: str, label: str) -> frozenset[str]:
    return frozenset(options[name] for options in offers if name in options) - {label}


def _held(result: object) -> Iterator[str]:
    """Yield the texts of a result outside of the entries that it marks as to be had or not."""
    stack = [result]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping) and not _is_marked(item):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str):
            yield item.lower()


def _is_marked(entry: object) -> bool:
    return isinstance(entry, Mapping) and any(isinstance(value, bool) for value in entry.values())


def _options(entry: object) -> dict[str, str]:
    """Return the options of an entry: the texts in the mappings that it holds."""
    inner = (value for value in entry.values() if isinstance(value, Mapping)) if isinstance(entry, Mapping) else ()
    return {
        str(name): label.lower()
        for options in inner
        for name, label in options.items()
        if isinstance(label, str) and len(label) >= _SHORTEST_LABEL
    }
