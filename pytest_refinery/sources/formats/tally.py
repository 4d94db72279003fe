"""What a loader notes: what it found no place for, and records that are not one whole tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pytest_refinery.traces.model import Run

_SHOWN = 8


@dataclass
class Tally:
    """How many things of one kind there were, and which of them found no place.

    Attributes:
        what: The sentence's subject, such as ``Attributes kept as metadata only``.
        total: All things of the kind.
        unmapped: Those without a place, by name.
    """

    what: str
    total: int = 0
    unmapped: Counter[str] = field(default_factory=Counter)

    def add(self, total: int, unmapped: Iterable[str]) -> None:
        """Count ``total`` more things, ``unmapped`` of them without a place."""
        self.total += total
        self.unmapped.update(list(unmapped))

    def notes(self) -> tuple[str, ...]:
        """Return the sentence, nothing where all has found its place."""
        if not self.unmapped:
            return ()
        names = [name[:60] for name, _ in self.unmapped.most_common()]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return (f"{self.what}: {self.unmapped.total()} of {self.total} ({', '.join(names[:_SHOWN])}{more}).",)


def described(record: object) -> str:
    """Return a word for a record that nobody knows: its type, or its first keys."""
    if not isinstance(record, Mapping):
        return kind_of(record)
    kind = record.get("type")
    return kind if isinstance(kind, str) else " ".join(list(map(str, record))[:3]) or "empty"


def tree_notes(runs: Sequence[Run], trace_ids: Collection[object]) -> Iterator[str]:
    """Yield a sentence where records are of several traces, and one where parents are missing."""
    if len(trace_ids) > 1:
        yield f"The file holds {len(trace_ids)} traces; they are read as one, in the order of their times."
    ids = {run.id for run in runs}
    orphans = sum(run.parent_id is not None and run.parent_id not in ids for run in runs)
    if orphans:
        yield f"Runs that stand as roots because their parent is not in the file: {orphans}."


def kind_of(value: object) -> str:
    """Return what JSON calls a value, with its article."""
    if isinstance(value, bool | int | float):
        return "true or false" if isinstance(value, bool) else "a number"
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), "an object")
