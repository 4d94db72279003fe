"""What tools said about an entity, and when: the objects in their results, by id and step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysts.rules.facts import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.traces.conversation import Step

_MOST_FIELDS = 400
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Record:
    """One object of a result.

    Attributes:
        ids: The ids that it goes by, in one form.
        fields: Its plain values by their path.
        inner: The objects in it that have ids of their own.
    """

    step: Step
    ids: frozenset[str]
    fields: Mapping[str, object]
    value: Mapping[str, object]
    is_whole: bool = True

    def named(self) -> str:
        """Return what a person would call it."""
        found = (value for key, value in self.fields.items() if key.rpartition(".")[2].lower() in {"name", "title"})
        return next((str(value) for value in found if isinstance(value, str) and len(value) < _LONGEST_NAME), "")


class Records:
    """The records of a trace by entity."""

    def __init__(self, steps: Sequence[Step], parsed: Mapping[int, object], calls: Sequence[Call]) -> None:
        self._by_id: dict[str, list[Record]] = {}
        self.all: list[Record] = []
        asked = {call.result.number: call for call in calls if call.result is not None}
        for step in steps:
            value = parsed.get(step.number)
            if value is not None:
                self._add(step, value, asked.get(step.number))

    def _add(self, step: Step, value: object, call: Call | None) -> None:
        for depth, item in _objects(value):
            ids = frozenset(_own_ids(item)) | (_asked_ids(call) if depth == 0 and call is not None else frozenset())
            record = Record(step, ids, dict(_fields(item)), item, is_whole=depth == 0)
            self.all.append(record)
            for entity in ids:
                self._by_id.setdefault(entity, []).append(record)

    @property
    def entities(self) -> frozenset[str]:
        """All ids of which a tool said something."""
        return frozenset(self._by_id)

    def about(self, entity: str, *, before: int) -> Iterator[Record]:
        """Yield what was known about an entity before step ``before``, the latest first."""
        known = self._by_id.get(values.identifier_key(entity), ())
        return (record for record in reversed(known) if record.step.number < before)

    def changed_by(self, call: Call) -> tuple[str, object, object] | None:
        """Return the field that a call changed in a record that was read before, with both its values."""
        if call.result is None or not isinstance(call.value, Mapping):
            return None
        after = dict(_fields(call.value))
        for entity in _own_ids(call.value):
            earlier = next((r for r in self.about(entity, before=call.step.number) if r.is_whole), None)
            if earlier is not None:
                return _difference(earlier.fields, after)
        return None


def _difference(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, object, object] | None:
    if not set(before) & set(after):
        return None
    for key, value in after.items():
        if before.get(key, value) != value:
            return key, before[key], value
    return None


def _objects(value: object) -> Iterator[tuple[int, Mapping[str, object]]]:
    stack: list[tuple[int, object]] = [(0, value)]
    while stack:
        depth, item = stack.pop()
        if isinstance(item, Mapping):
            yield depth, item
            stack.extend((depth + 1, inner) for inner in item.values())
        elif isinstance(item, list):
            stack.extend((depth + 1, inner) for inner in item)


def _fields(value: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the plain values of an object by their path, those of its lists too."""
    stack: list[tuple[str, object]] = [("", value)]
    count = 0
    while stack and count < _MOST_FIELDS:
        path, item = stack.pop()
        if isinstance(item, Mapping):
            stack.extend((f"{path}.{key}" if path else str(key), inner) for key, inner in reversed(list(item.items())))
        elif isinstance(item, list):
            stack.extend((f"{path}.{place}", inner) for place, inner in reversed(list(enumerate(item))))
        else:
            count += 1
            yield path, item


def is_id_key(key: str) -> bool:
    """Tell whether a field's name says that it names the record."""
    word = key.lower()
    return word in {"id", "uuid", "key", "account", "number", "reference"} or word.endswith(
        ("_id", "id", "_no", "_nr", "number", "nummer", "_ref", "_key", "_code")
    )


def _own_ids(item: Mapping[str, object]) -> Iterator[str]:
    """Yield the ids of an object itself; the first is the entity's own, others belong to what it refers to."""
    for key, value in item.items():
        if is_id_key(str(key)) and isinstance(value, str | int) and not isinstance(value, bool):
            yield values.identifier_key(str(value))
            return


def _asked_ids(call: Call) -> frozenset[str]:
    """Return the ids that a look-up was made with, where it was made with one alone."""
    given = [text for text in call.leaves() if any(character.isdigit() for character in text) and len(text) > 3]  # noqa: PLR2004
    return frozenset(map(values.identifier_key, given[:1])) if len(given) == 1 else frozenset()
